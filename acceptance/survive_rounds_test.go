//go:build linux

package acceptance_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// soak reports whether the long form of a test is asked for ("make soak").
func soak() bool { return os.Getenv("PEERD_SOAK") != "" }

// rounds is how often something is done in the short form and in the long one.
func rounds(short, long int) int {
	if soak() {
		return long
	}
	return short
}

// company is what the rounds are played with: what ticks and what sleeps is left
// alone, the others are acted on.
const company = "components:" + ticker + `
  steady: {command: [/bin/sleep, "610"]}
  toy: {command: [/bin/sleep, "611"]}
  slow: {command: [/bin/sh, -c, "trap 'sleep 0.2; exit 5' TERM; while :; do sleep 0.05; done"]}
  other: {descriptor: "${DESCRIPTOR}", command: ["${SAMPLE}"], config: {interval: 70ms}}
  short: {command: [/bin/sh, -c, "sleep 0.3; exit 37"], restart: {delay: 100ms, maxDelay: 100ms}}
`

// Issue 4: rounds of (random verb, SIGKILL of peerd after 0–500 ms, restart).
func TestRoundsOfKillingPeerd(t *testing.T) {
	t.Parallel()
	p := start(t, company)
	p.running("ticker", "steady", "toy", "slow", "other")
	before := p.pids("ticker", "steady")
	for round := range rounds(12, 200) {
		verb, told := p.someVerb()
		sleepSome()
		p.killPeerd(nil)
		p.keptPromise(verb, <-told)
		p.checkLives(before)
		p.must("start", "toy", "slow", "other")
		p.running("ticker", "steady", "toy", "slow", "other")
		if t.Failed() {
			t.Fatalf("in round %d, after %v", round, verb)
		}
	}
}

// The same with the keeper killed.
func TestRoundsOfKillingTheKeeper(t *testing.T) {
	t.Parallel()
	p := start(t, company)
	p.running("ticker", "steady", "toy", "slow", "other")
	before := p.pids("ticker", "steady")
	for round := range rounds(12, 200) {
		verb, told := p.someVerb()
		sleepSome()
		p.killKeeper()
		if r := <-told; r.code != 0 {
			t.Errorf("%v", r)
		}
		p.checkLives(before)
		p.must("start", "toy", "slow", "other")
		p.running("ticker", "steady", "toy", "slow", "other")
		if t.Failed() {
			t.Fatalf("in round %d, after %v", round, verb)
		}
	}
}

// sleepSome lets up to half a second go by: when the kill comes is the point.
func sleepSome() { time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond) }

// someVerb has ccpc do something to someone and tells later how it went.
func (p *peerd) someVerb() (verb []string, told <-chan result) {
	name := []string{"toy", "slow", "other"}[rand.IntN(3)]
	verb = [][]string{
		{"restart", name},
		{"stop", name},
		{"kill", name},
		{"stop", name, "--no-wait"},
		{"restart", "toy", "slow", "other"},
		{"reload"},
		{"ps"},
	}[rand.IntN(7)]
	done := make(chan result, 1)
	go func() { done <- p.ccpc(verb...) }()
	return verb, done
}

// keptPromise wants what was acknowledged before the kill to be so after it.
func (p *peerd) keptPromise(verb []string, r result) {
	p.t.Helper()
	if r.code != 0 {
		return
	}
	switch verb[0] {
	case "stop", "kill":
		i := p.until(verb[1], "goes down", func(i instance) bool { return i.Status != "stopping" })
		if i.Status != "stopped" || i.Desired != "down" {
			p.t.Errorf("%v was acknowledged, but it is %v", verb, i)
		}
	case "restart":
		p.running(verb[1:]...)
	}
}

// checkLives joins the history with what the kernel says: those that nobody
// touched are the same, every generation that is over has one end, and nobody
// lives twice or unknown.
func (p *peerd) checkLives(untouched map[string][2]uint64) {
	p.t.Helper()
	now := p.ps()
	for name, was := range untouched {
		if i := now[name]; uint64(i.Pid) != was[0] || i.Generation != was[1] || !alive(i.Pid) {
			p.t.Errorf("%s was %v and is %v", name, was, i)
		}
	}
	p.nobodyIsUnknown()
	p.oneEndEach()
}

// nobodyIsUnknown wants each living tree to be that of the one process which ps
// shows for an instance; what is just being started becomes known.
func (p *peerd) nobodyIsUnknown() {
	p.t.Helper()
	p.waitFor("every tree to be an instance's", func() bool {
		known := map[int]bool{}
		leaders := p.leaders()
		for _, i := range p.ps() {
			known[i.Pid] = true
		}
		return !slices.ContainsFunc(leaders, func(pid int) bool { return !known[pid] && alive(pid) })
	})
}

// leaders are the processes of this test that lead a session: the first of each
// tree.
func (p *peerd) leaders() (pids []int) {
	for _, pid := range p.processes() {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 3 && f[3] == strconv.Itoa(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// oneEndEach wants each generation that was spawned to have one recorded end,
// save the last of each instance, which has one at most.
func (p *peerd) oneEndEach() {
	p.t.Helper()
	type life struct {
		name       string
		generation uint64
	}
	ends, last := map[life]int{}, map[string]uint64{}
	var order []life
	for _, r := range p.events() {
		l := life{r.Name, r.Generation}
		if r.To == lifecycle.Starting && r.From != lifecycle.Starting {
			order = append(order, l)
			last[r.Name] = r.Generation
		}
		if r.Exit != nil {
			ends[l]++
			if strings.HasPrefix(r.Exit.Reason, "not spawned") {
				continue
			}
			if r.Exit.Code == -1 && r.Exit.Signal == "" {
				p.t.Errorf("the exit of %v is not known: %+v", l, r)
			}
			if r.Name == "short" && r.Exit.Code != 37 && r.Exit.Signal == "" {
				p.t.Errorf("short ended with %+v", r.Exit)
			}
		}
	}
	for _, l := range order {
		if n := ends[l]; n > 1 || n == 0 && last[l.name] != l.generation {
			p.t.Errorf("%v has %d ends", l, n)
		}
	}
}

// Issue 4: a component that logs numbered lines across kills of either: each
// line is captured exactly once, over rotation too.
func TestEachLineIsCapturedOnceAcrossKills(t *testing.T) {
	t.Parallel()
	const lines = 100_000
	p := start(t, fmt.Sprintf(`
components:
  counter:
    command: [/bin/sh, -c, "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); [ $((i %% 500)) = 0 ] && sleep 0.02; done; exec sleep 600"]
    logs: {maxSize: 100KiB, maxFiles: 50}
`, lines))
	p.running("counter")
	before := p.pids()
	for range rounds(4, 20) {
		p.killPeerd(nil)
		p.killKeeper()
	}
	var captured []byte
	p.waitFor("the last line", func() bool {
		captured = p.captured("counter")
		return bytes.HasSuffix(captured, []byte("\n"+strconv.Itoa(lines-1)+"\n"))
	})
	next := 0
	for line := range strings.Lines(string(captured)) {
		if line != strconv.Itoa(next)+"\n" {
			t.Fatalf("line %d is %q", next, line)
		}
		next++
	}
	if next != lines {
		t.Errorf("%d lines, want %d", next, lines)
	}
	if now := p.pids(); now["counter"] != before["counter"] {
		t.Errorf("was %v and is %v", before, now)
	}
}

// captured is all that was captured of an instance's stdout.
func (p *peerd) captured(name string) (all []byte) {
	p.t.Helper()
	files, err := filepath.Glob(p.path("state/logs/*/" + name + "/out.log*"))
	if err != nil {
		p.t.Fatal(err)
	}
	number := func(file string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Ext(file), "."))
		return n
	}
	slices.SortFunc(files, func(a, b string) int { return number(b) - number(a) })
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// A keeper that is stopped for a while holds nobody up that it need not.
func TestAFrozenKeeper(t *testing.T) {
	t.Parallel()
	p := start(t, survivors)
	p.running("ticker", "plain", "ends")
	keeper := p.keeperPid()
	if err := syscall.Kill(keeper, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if got := p.must("report-state", "ticker"); !strings.Contains(got, "COMPONENT_EXECUTION") {
		t.Errorf("report-state: %s", got)
	}
	if err := syscall.Kill(keeper, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.must("restart", "plain")
}
