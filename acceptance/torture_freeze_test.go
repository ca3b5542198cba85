//go:build linux

package acceptance_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A keeper that is stopped for a while holds nobody up that it need not.
func TestAFrozenKeeper(t *testing.T) {
	t.Parallel()
	p := start(t, survivors)
	p.running("ticker", "plain", "ends")
	keeper := p.keeperPid()
	if err := syscall.Kill(keeper, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.must("report-state", "ticker")
	if err := syscall.Kill(keeper, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.must("restart", "plain")
}

// Rounds in which peerd or the keeper is frozen over a verb, as a hypervisor or
// an operator may do, and the other one perhaps killed meanwhile.
func TestRoundsOfFreezing(t *testing.T) {
	t.Parallel()
	f := newFreezer(t)
	x := torment(t)
	for round := range rounds(10, 100) {
		victim, other := x.awaitKeeper(), x.cmd.Process.Pid
		if round%2 == 0 {
			victim, other = other, victim
		}
		f.freeze(victim)
		asked, told := x.someVerb()
		x.pause()
		killed := x.chance.IntN(2) == 0
		if killed {
			if err := syscall.Kill(other, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		f.thaw(victim)
		r := x.heard(asked, <-told)
		if other == x.cmd.Process.Pid && killed {
			x.over()
			x.run()
			x.ready()
		} else if r.code != 0 {
			t.Errorf("%v", r)
		}
		x.awaitKeeper()
		x.judge()
		if x.act("start", toys...); t.Failed() {
			t.Fatalf("in round %d, after %v", round, r)
		}
	}
	x.finish()
}

// freezer is a cgroup whose members can be stopped without a signal.
type freezer struct {
	t    testing.TB
	home string // the cgroup of this test
	dir  string // the one that is frozen
}

// newFreezer skips where no such cgroup can be made.
func newFreezer(t *testing.T) *freezer {
	t.Helper()
	home, ok := ownCgroup()
	if !ok {
		t.Skip("needs cgroup v2")
	}
	f := &freezer{t, home, filepath.Join(home, "acceptance-"+strconv.Itoa(os.Getpid()))}
	if err := os.Mkdir(f.dir, 0o755); err != nil {
		t.Skipf("needs leave to make a cgroup: %v", err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "cgroup.freeze"), []byte("1"), 0); err != nil {
		t.Skipf("needs a freezer: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(f.dir); err != nil {
			t.Error(err)
		}
	})
	return f
}

// ownCgroup is the folder of this process's cgroup of version 2.
func ownCgroup() (dir string, ok bool) {
	own, _ := os.ReadFile("/proc/self/cgroup")
	_, path, ok := strings.Cut("\n"+string(own), "\n0::")
	path, _, _ = strings.Cut(path, "\n")
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		dir = filepath.Join(mount, path)
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil && ok {
			return dir, true
		}
	}
	return "", false
}

// freeze stops a process by moving it into the frozen cgroup.
func (f *freezer) freeze(pid int) {
	f.t.Helper()
	f.write(f.dir, pid)
}

// thaw lets it go on where it was: nothing that it starts is ever in the cgroup.
func (f *freezer) thaw(pid int) {
	f.t.Helper()
	f.write(f.home, pid)
}

func (f *freezer) write(dir string, pid int) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
		f.t.Fatal(err)
	}
}
