//go:build linux

package acceptance_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// briefly is about somebody whose life is over before a frozen peerd can have looked: its
// hook ends when it is let go, and the process writes down who it is and ends.
const briefly = `components:
  brief:
    command: [/bin/sh, -c, "echo $$ >born.new; mv born.new born; exit 37"]
    hooks: {preStart: [/bin/sh, -c, "touch waits; while [ ! -e go ]; do sleep 0.01; done; rm waits go"]}
    restart: {policy: never}
defaults: {workingDirectory: .}
`

// A component is spawned and ends while peerd is stopped, and the keeper, which
// alone has seen that, is killed before peerd goes on: its exit is in the history
// all the same.
func TestAnExitThatOnlyTheKeeperSawOutlivesIt(t *testing.T) {
	t.Parallel()
	p := start(t, briefly)
	met, travels := 0, orderTravels
	for round := range rounds(5, 100) {
		if round > 0 {
			p.must("start", "brief", "--no-wait")
		}
		p.waitFor("its hook waits", func() bool { return p.hasFile("waits") })
		keeper := p.keeperPid()
		signalTo(t, keeper, syscall.SIGSTOP)
		p.put("go", "")
		p.waitFor("its hook is over", func() bool {
			return !p.hasFile("waits") && len(torture.Children(p.cmd.Process.Pid)) == 1
		})
		<-time.After(travels)
		p.signal(syscall.SIGSTOP)
		signalTo(t, keeper, syscall.SIGCONT)
		if p.wasBorn() {
			met++
		} else {
			travels *= 2
		}
		signalTo(t, keeper, syscall.SIGKILL)
		p.waitFor("the keeper is over", func() bool { return !alive(keeper) })
		p.signal(syscall.SIGCONT)
		p.until("brief", "is over", func(i instance) bool { return i.Status == "failed" && int(i.Generation) == round+1 })
		history := p.history("brief")
		if end := history[len(history)-1]; end.Exit == nil || end.Exit.Code != 37 {
			t.Fatalf("round %d: it ended with %+v, want 37", round, end.Exit)
		}
	}
	if t.Logf("it lived and died unseen %d times", met); met == 0 {
		t.Error("peerd was always stopped too early")
	}
}

// orderTravels is how long peerd has to ask the keeper for a process. In a round
// in which it takes longer, the next keeper is asked, and less is proven: then it
// has twice the time.
const orderTravels = 30 * time.Millisecond

// wasBorn reports whether brief was born, and waits for its end.
func (p *peerd) wasBorn() bool {
	p.t.Helper()
	for deadline := time.Now().Add(2 * time.Second); !p.hasFile("born"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	text, err := os.ReadFile(p.path("born"))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.Remove(p.path("born")); err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		p.t.Fatal(err)
	}
	p.waitFor("it has ended", func() bool { return !alive(pid) })
	return true
}

func (p *peerd) hasFile(name string) bool {
	_, err := os.Stat(p.path(name))
	return err == nil
}

func signalTo(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}
