//go:build linux

package acceptance_test

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answer is one line of `ccpc data -o json`.
type answer struct {
	Name, What, Source string
	At                 time.Time
	Data               map[string]float64
}

// Issue 2: `data NAME memory --count 5 --interval 200ms -o json` streams five
// answers.
func TestDataStreamsFiveAnswers(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	var answers []answer
	for line := range strings.Lines(p.must("data", "ticker", "memory", "--count", "5", "--interval", "200ms", "-o", "json")) {
		var a answer
		p.decode(line, &a)
		answers = append(answers, a)
	}
	if len(answers) != 5 {
		t.Fatalf("%d answers: %+v", len(answers), answers)
	}
	for n, a := range answers {
		if a.Name != "ticker" || a.What != "memory" || a.Source != "component" || a.Data["heapUsed"] <= 0 {
			t.Errorf("answer %d: %+v", n, a)
		}
	}
	if span := answers[4].At.Sub(answers[0].At); span < 600*time.Millisecond {
		t.Errorf("five answers 200 ms apart came within %v", span)
	}
}

// Issue 2: `--count -1` goes on until Ctrl-C, which cancels it in the
// component: this one counts how often it is asked, so that between two
// questions of ours nobody else may have asked.
func TestEndlessDataEndsWithCtrlCAndIsCancelledInTheComponent(t *testing.T) {
	t.Parallel()
	p := start(t, `components: {bad: {ccp: true, command: ["${BAD}", asked]}}`)
	p.running("bad")
	cmd := exec.Command(program("ccpc"), "data", "bad", "stats", "--count", "-1", "--interval", "2ms", "-o", "json")
	if code := p.interruptAfter(cmd, 50); code != 0 {
		t.Errorf("exit code %d after Ctrl-C", code)
	}
	asked := func() float64 {
		var a answer
		p.decode(p.must("data", "bad", "stats", "-o", "json"), &a)
		return a.Data["asked"]
	}
	if asked() < 50 {
		t.Error("it was not asked fifty times")
	}
	p.waitWithin(5*time.Second, "nobody else asks", func() bool {
		before := asked()
		return asked() == before+1
	})
}

// interruptAfter runs a program that streams lines, sends it SIGINT after some
// of them, and returns its exit code.
func (p *peerd) interruptAfter(cmd *exec.Cmd, lines int) int {
	p.t.Helper()
	cmd.Env, cmd.Dir = p.env, p.dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	for n := 0; n < lines; n++ {
		if !in.Scan() {
			p.t.Errorf("%v ended after %d lines", cmd.Args, n)
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Error(err)
	}
	for in.Scan() { // what was on its way
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}
