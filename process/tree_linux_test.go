package process

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTermIgnored(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		ready := filepath.Join(t.TempDir(), "ready")
		p := start(t, d, shell("trap '' TERM; touch "+ready+"; while :; do sleep 0.05; done"))
		eventually(t, "ready", func() bool { return exists(ready) })
		if err := p.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if left := p.Kill(t.Context()); left != nil {
			t.Errorf("left: %v", left)
		}
		if got := p.Exit().Signal; got != "SIGKILL" {
			t.Errorf("ended by %q, want SIGKILL", got)
		}
	})
}

// A member that forks twice and makes its own session is still of the tree.
func TestEscapeBySession(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		file := filepath.Join(t.TempDir(), "pid")
		p := start(t, d, helper("escape "+file))
		var runaway Identity
		eventually(t, "the runaway runs", func() bool {
			text, _ := os.ReadFile(file)
			pid, err := strconv.Atoi(string(text))
			if err == nil {
				runaway, err = Identify(pid)
			}
			return err == nil
		})
		eventually(t, "it is an orphan", func() bool { s, _ := readStat(runaway.Pid); return s.ppid == os.Getpid() })
		if left := p.Kill(t.Context()); left != nil {
			t.Errorf("left: %v", left)
		}
		if runaway.Alive() {
			t.Error("the runaway lives")
		}
	})
}

func TestStoppedMemberIsContinued(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		p := start(t, d, shell("exec sleep 1000"))
		eventually(t, "it runs", func() bool { return CommandName(p.Identity().Pid) == "sleep" })
		if err := p.Signal(unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is stopped", func() bool {
			m := p.Members()
			return len(m) == 1 && m[0].State == "T"
		})
		if err := p.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		await(t, "end of the tree", p.Empty())
		if got := p.Exit().Signal; got != "SIGTERM" {
			t.Errorf("ended by %q, want SIGTERM", got)
		}
	})
}

// The leader goes on TERM, a member ignores it: Empty waits for the member.
func TestLeaderExitsMemberStays(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		ready := filepath.Join(t.TempDir(), "ready")
		p := start(t, d, shell("(trap '' TERM; touch "+ready+"; while :; do sleep 0.05; done) & trap 'exit 4' TERM; while :; do sleep 0.05; done"))
		eventually(t, "ready", func() bool { return exists(ready) })
		if err := p.Signal(unix.SIGTERM); err != nil {
			t.Fatal(err)
		}
		await(t, "exit", p.Exited())
		if got := p.Exit().Code; got != 4 {
			t.Errorf("exit code %d, want 4", got)
		}
		if len(p.Members()) == 0 {
			t.Fatal("the member is not seen")
		}
		if left := p.Kill(t.Context()); left != nil {
			t.Errorf("left: %v", left)
		}
	})
}

// Empty follows by itself when the last member ends, without a kill.
func TestEmptyIsTold(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		file := filepath.Join(t.TempDir(), "go")
		p := start(t, d, shell("(until [ -e "+file+" ]; do sleep 0.02; done) & exit 0"))
		await(t, "exit", p.Exited())
		select {
		case <-p.Empty():
			t.Fatal("empty while a member lives")
		default:
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		await(t, "end of the tree", p.Empty())
	})
}

func TestForkBombUnderLimit(t *testing.T) {
	for held, h := range containments(t) {
		t.Run(string(held), func(t *testing.T) {
			h.v1 = findHierarchies().v1
			d := openAs(t, h, held)
			s := Spec{Path: "/usr/bin/perl", Args: []string{"perl", "-e", "while (1) { fork }"}, Name: "bomb"}
			if !exists(s.Path) {
				t.Skip("no perl")
			}
			s.Limits.Pids = 40
			if why := d.Unsupported(s); why != nil {
				t.Skip(why)
			}
			p := start(t, d, s)
			eventually(t, "it spreads", func() bool { return len(p.Members()) > 20 })
			if left := p.Kill(t.Context()); left != nil {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// What cannot be killed is told by the deadline; here the deadline has passed.
func TestKillTellsWhatIsLeft(t *testing.T) {
	d := newDoor(t)
	p := start(t, d, shell("exec sleep 1000"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range p.Kill(ctx) { // may be gone at once, or told
		if m.Pid != p.Identity().Pid {
			t.Errorf("told %v", m)
		}
	}
}

func TestSignalToTheFinishedIsNoError(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		p := start(t, d, shell("exit 0"))
		await(t, "end of the tree", p.Empty())
		if err := p.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if left := p.Kill(t.Context()); left != nil {
			t.Errorf("left: %v", left)
		}
	})
}

func TestUsage(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		p := start(t, d, shell("sleep 1000 & sleep 1000 & i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000"))
		eventually(t, "four processes, three files each, and some time spent", func() bool {
			u, err := p.Usage()
			return err == nil && u.Pids == 4 && u.Threads == 4 && u.FDs == 12 && u.CPUTime > 0 && u.Memory > 0
		})
	})
}

// Closing the door neither ends nor forgets what runs: another one adopts it.
func TestCloseTouchesNothing(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		other := openAs(t, d.hierarchies, d.held)
		p, err := d.Start(shell("sleep 1000 & sleep 1000"))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Release()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if !p.Identity().Alive() {
			t.Error("closing the door ended a child")
		}
		if _, err := d.Start(shell("exit 0")); err == nil {
			t.Error("a closed door starts")
		}
		again, err := other.Adopt(p.Identity())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if left := again.Kill(ctx); left != nil {
			t.Errorf("left: %v", left)
		}
		again.Release()
		if held := p.Identity().Cgroup; strings.HasPrefix(held, "/") && exists(held) {
			t.Errorf("%s is left", held)
		}
	})
}

func TestBadNameIsRefused(t *testing.T) {
	d := newDoor(t)
	for _, name := range []string{"../up", "a:b", strings.Repeat("x", 300)} {
		s := shell("exit 0")
		s.Name = name
		if _, err := d.Start(s); err == nil {
			t.Errorf("a process named %q was started", name)
		}
	}
}

// A thousand live side by side and are all gone after one sweep of kills.
func TestThousandTreesDieTogether(t *testing.T) {
	for held, h := range containments(t) {
		if held == cgroupFreezer {
			continue // a thousand shims are too slow for a test
		}
		t.Run(string(held), func(t *testing.T) {
			d := openAs(t, h, held)
			all := make([]*Process, 1000)
			for i := range all {
				all[i] = start(t, d, Spec{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Name: "many"})
			}
			var kills sync.WaitGroup
			for _, p := range all {
				kills.Go(func() {
					if left := p.Kill(t.Context()); left != nil {
						t.Errorf("left: %v", left)
					}
				})
			}
			kills.Wait()
			for _, p := range all {
				if got := p.Exit().Signal; got != "SIGKILL" {
					t.Errorf("ended by %q", got)
				}
			}
		})
	}
}

// Another process that holds the same tree removes its cgroup.
func TestEmptyIsToldThoughAnotherReleases(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		for range 20 {
			p := start(t, d, shell("sleep 1000 & exit 0"))
			await(t, "exit", p.Exited())
			again, err := d.Adopt(p.Identity())
			if err != nil {
				t.Fatal(err)
			}
			if left := again.Kill(t.Context()); left != nil {
				t.Errorf("left: %v", left)
			}
			again.Release()
			await(t, "end of the tree", p.Empty())
		}
	})
}

// The end of a tree that outlives its leader is waited for asleep.
func TestALeftTreeIsWaitedForAsleep(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		p := start(t, d, shell("setsid sleep 1000 & exit 0"))
		await(t, "exit", p.Exited())
		timer := time.NewTimer(time.Hour)
		defer timer.Stop()
		eventually(t, "nothing runs for longer than between two looks", func() bool {
			return testing.AllocsPerRun(1, func() {
				timer.Reset(lastLook * 3 / 2)
				<-timer.C
			}) == 0
		})
		_ = p.Kill(t.Context())
		await(t, "end of the tree", p.Empty())
	})
}
