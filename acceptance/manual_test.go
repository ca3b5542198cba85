//go:build linux

package acceptance_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
)

// attach runs `ccpc attach` beside the test.
func (p *peerd) attach(args ...string) (ended <-chan result) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan result, 1)
	cmd := exec.CommandContext(ctx, program("ccpc"), append([]string{"attach"}, args...)...)
	cmd.Env, cmd.Dir = p.env, p.dir
	over := make(chan struct{})
	go func() {
		defer close(over)
		out, _ := cmd.CombinedOutput()
		done <- result{args: cmd.Args, code: cmd.ProcessState.ExitCode(), stdout: string(bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n")))}
	}()
	p.t.Cleanup(func() { cancel(); <-over })
	return done
}

// A component with launch: manual waits for a person as long as it takes, runs in
// the person's terminal, lives like any other, and is not started again.
func TestAComponentByHand(t *testing.T) {
	t.Parallel()
	p := start(t, `components:
  hand: {command: ["${SAMPLE}"], ccp: true, launch: manual, launchTimeout: 50ms, config: {interval: 50ms}}
  next: {command: ["${SAMPLE}"], ccp: true, config: {interval: 50ms}}
`)
	waiting := p.until("hand", "waits for a person", func(i instance) bool { return strings.Contains(i.Reason, "ccpc attach hand") })
	p.running("next") // nobody else waits for the person
	ended := p.attach("hand", "--", "env", "DEBUGGED=yes")
	p.running("hand")
	if i := p.of("hand"); i.Pid != waiting.Pid || i.Generation != waiting.Generation {
		t.Errorf("it waited as %v and runs as %v", waiting, i)
	}
	p.refused(6, "runs already", "attach", "hand")
	p.refused(6, "launch: separateProcess", "attach", "next")
	p.must("set-loglevel", "hand", "ticker", "debug")
	p.waitFor("its output is logged", func() bool { return strings.Contains(p.must("logs", "hand"), "tick") })
	p.must("stop", "hand")
	if r := <-ended; r.code != 0 || !strings.Contains(r.stdout, "|unix|") || !strings.Contains(r.stdout, "tick") {
		t.Errorf("the person saw: %v", r)
	}
	if history := p.must("history", "hand"); !strings.Contains(history, "COMPONENT_STOP_CLEANUP") {
		t.Errorf("it was not stopped in order:\n%s", history)
	}

	ended = p.attach("hand") // which starts it
	p.running("hand")
	p.must("kill", "hand")
	<-ended
	p.is("hand", "stopped")
	p.must("start", "hand", "--no-wait")
	p.until("hand", "waits again", func(i instance) bool { return strings.Contains(i.Reason, "ccpc attach hand") })
	p.must("stop", "hand")
	p.is("hand", "stopped")
}

// The one who waits, and what runs by hand, are taken up by the next peerd.
func TestByHandOverTheDeathOfPeerd(t *testing.T) {
	t.Parallel()
	p := start(t, `components:
  hand: {command: ["${SAMPLE}"], ccp: true, launch: manual, launchTimeout: 50ms}
`)
	waits := func(i instance) bool { return strings.Contains(i.Reason, "ccpc attach hand") }
	waiting := p.until("hand", "waits for a person", waits)
	p.strikePeerd()
	p.run()
	p.ready()
	p.until("hand", "still waits", waits)
	ended := p.attach("hand")
	p.running("hand")
	p.strikePeerd()
	p.run()
	p.ready()
	p.running("hand")
	if i := p.of("hand"); i.Pid != waiting.Pid || i.Generation != waiting.Generation {
		t.Errorf("it waited as %v and runs as %v", waiting, i)
	}
	p.must("stop", "hand")
	<-ended
	p.is("hand", "stopped")
}

// The one who waits goes on waiting over upgrades of peerd and its keeper.
func TestByHandOverAnUpgrade(t *testing.T) {
	t.Parallel()
	p := start(t, `components:
  hand: {command: ["${SAMPLE}"], ccp: true, launch: manual, launchTimeout: 50ms}
`)
	waits := func(i instance) bool { return strings.Contains(i.Reason, "ccpc attach hand") }
	waiting := p.until("hand", "waits for a person", waits)
	for n := range 2 {
		p.must("upgrade", version(t, n))
		if i := p.until("hand", "still waits", waits); i.Pid != waiting.Pid || i.Generation != waiting.Generation {
			t.Errorf("it waited as %v and waits as %v", waiting, i)
		}
	}
	ended := p.attach("hand")
	p.running("hand")
	p.must("upgrade", version(t, 0))
	if i := p.of("hand"); i.Pid != waiting.Pid || i.Generation != waiting.Generation || i.Status != "running" {
		t.Errorf("it waited as %v and runs as %v", waiting, i)
	}
	p.must("stop", "hand")
	<-ended
	p.is("hand", "stopped")
}

// What cannot be run leaves the instance waiting for the next who attaches; an end
// by itself leaves it down.
func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	p := start(t, `components:
  hand: {command: ["${SAMPLE}"], ccp: true, launch: manual}
`)
	p.refused(1, "no-such-debugger", "attach", "hand", "--", "no-such-debugger")
	p.refused(3, "ghost", "attach", "ghost")
	ended := p.attach("hand", "--", "sh", "-c", "exit 3")
	i := p.until("hand", "is down", func(i instance) bool { return i.LastExit != nil })
	if <-ended; i.LastExit.Code != 3 || i.Restarts != 0 {
		t.Errorf("after exit code 3: %v", i)
	}
}
