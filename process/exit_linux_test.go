package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How an adopted process ended is known though its parent never waits for it.
func TestExitOfAZombieThatNobodyReaps(t *testing.T) {
	for script, want := range map[string]Exit{
		"exit 37":          {Code: 37},
		"exit 0":           {Code: 0},
		"kill -USR1 $$":    {Code: -1, Signal: "SIGUSR1"},
		"kill -KILL $$; x": {Code: -1, Signal: "SIGKILL"},
	} {
		d := newDoor(t)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		s := shell("mkfifo $0.go; (read x <$0.go; " + strings.ReplaceAll(script, "$$", "$(sh -c 'echo $PPID')") + ") & echo $!; exec sleep 1000")
		s.Args = append(s.Args, filepath.Join(t.TempDir(), "zombie"))
		s.Stdout = w
		lazy := start(t, d, s)
		_ = w.Close()
		var pid int
		if _, err := fmt.Fscan(r, &pid); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		id, err := Identify(pid)
		if err != nil {
			t.Fatal(err)
		}
		p, err := d.Adopt(id)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "its parent waits for nobody", func() bool { return CommandName(lazy.Identity().Pid) == "sleep" })
		if err := os.WriteFile(s.Args[len(s.Args)-1]+".go", []byte("\n"), 0); err != nil {
			t.Fatal(err)
		}
		await(t, "exit", p.Exited())
		if got := p.Exit(); got.Code != want.Code || got.Signal != want.Signal || got.Reason != "" {
			t.Errorf("%s: %+v, want %+v", script, got, want)
		}
		if now, err := readStat(pid); err != nil || now.state != 'Z' {
			t.Errorf("%s: %+v, %v; want a zombie", script, now, err)
		}
		p.Release()
		_ = lazy.Kill(t.Context())
	}
}

// All 263 distinct ends, as the waiter sees them.
func TestExitIsExact(t *testing.T) {
	d := newDoor(t)
	var all sync.WaitGroup
	limit := make(chan struct{}, 16)
	check := func(s Spec, want Exit) {
		limit <- struct{}{}
		all.Go(func() {
			defer func() { <-limit }()
			p, err := d.Start(s)
			if err != nil {
				t.Error(err)
				return
			}
			await(t, "end of the tree", p.Empty())
			got := p.Exit()
			if got.At.IsZero() || got.Code != want.Code || got.Signal != want.Signal || got.Reason != "" {
				t.Errorf("%v ended as %+v, want %+v", s.Args, got, want)
			}
			p.Release()
		})
	}
	for code := range 256 {
		check(shell(fmt.Sprintf("exit %d", code)), Exit{Code: code})
	}
	for sig, name := range map[int]string{
		1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM",
	} {
		check(shell(fmt.Sprintf("kill -%d $$", sig)), Exit{Code: -1, Signal: name})
	}
	all.Wait()
}

func TestExitOfRunningProcess(t *testing.T) {
	p := start(t, newDoor(t), shell("sleep 100"))
	if got := p.Exit(); got.Code != -1 || got.Reason == "" {
		t.Errorf("a running process has the exit %+v", got)
	}
}

// The exit is seen though a grandchild holds stdout open.
func TestGrandchildHoldsStdout(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		s := shell("sleep 1000 & echo started; exit 5")
		s.Stdout = w
		p := start(t, d, s)
		w.Close()
		await(t, "exit", p.Exited())
		if got := p.Exit().Code; got != 5 {
			t.Errorf("exit code %d, want 5", got)
		}
		if left := p.Members(); len(left) != 1 {
			t.Errorf("left are %v, want the grandchild", left)
		}
		select {
		case <-p.Empty():
			t.Error("empty while a member lives")
		default:
		}
	})
}

// A thousand spawns side by side leave no fd, no zombie and no cgroup.
func TestThousandSpawnsLeakNothing(t *testing.T) {
	d := newDoor(t)
	spawn := func(n int) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				s := shell("exit 0")
				s.Name = "leak"
				p, err := d.Start(s)
				if err != nil {
					t.Error(err)
					return
				}
				await(t, "end of the tree", p.Empty())
				p.Release()
			})
		}
		all.Wait()
	}
	spawn(10)
	before := openFiles(t)
	spawn(1000)
	eventually(t, "no more files open than before", func() bool { return openFiles(t) <= before })
	eventually(t, "no zombies", func() bool { return len(zombies()) == 0 })
	if left, _ := filepath.Glob(d.hierarchies.unified + "/leak-*"); len(left) > 0 {
		t.Errorf("cgroups left: %v", left)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func zombies() []int {
	var list []int
	for _, pid := range children() {
		if s, err := readStat(pid); err == nil && !s.alive() {
			list = append(list, pid)
		}
	}
	return list
}

// Orphans in sessions of their own come to us, the subreaper, and are reaped;
// the statuses of our children are not touched meanwhile.
func TestThousandOrphansAreReaped(t *testing.T) {
	d := newDoor(t)
	script := strings.Repeat("(setsid sh -c 'exit 3' &) ; ", 1000)
	p := start(t, d, shell(script+"exit 7"))
	await(t, "exit", p.Exited())
	if got := p.Exit().Code; got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
	await(t, "end of the tree", p.Empty())
	eventually(t, "no zombies", func() bool { return len(zombies()) == 0 })
}

// A child that is known is left to whoever watches it, even while it is a
// zombie.
func TestReaperLeavesKnownChildren(t *testing.T) {
	d := newDoor(t)
	d.spawning.RLock() // the reaper waits
	pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.known[pid] = &Process{}
	d.mu.Unlock()
	d.spawning.RUnlock()
	eventually(t, "it ended", func() bool { s, _ := readStat(pid); return s.state == 'Z' })
	d.reapOnce(map[int]time.Time{}, time.Now())
	if s, _ := readStat(pid); s.state != 'Z' {
		t.Error("a known child was reaped by the reaper")
	}
	d.mu.Lock()
	delete(d.known, pid)
	d.mu.Unlock()
	d.reapOnce(map[int]time.Time{}, time.Now())
	if s, err := readStat(pid); err == nil {
		t.Errorf("an orphan was not reaped: %+v", s)
	}
}

// What other code in this program starts keeps its status for it.
func TestForeignChildIsNotStolen(t *testing.T) {
	d := newDoor(t)
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 9"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the foreign child ended", func() bool { s, _ := readStat(pid); return s.state == 'Z' })
	p := start(t, d, shell("setsid sh -c 'exit 3' & exit 0")) // makes the reaper look
	await(t, "end of the tree", p.Empty())
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 9 {
		t.Errorf("waited for the foreign child: %v, %v", status.ExitStatus(), err)
	}
}
