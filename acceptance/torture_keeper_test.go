//go:build linux

package acceptance_test

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// grownKeeper meets its point while something is done to all the toys.
func grownKeeper(before, verb string) func(x *tortured, p point) bool {
	return func(x *tortured, p point) bool {
		x.changeGuard()
		x.act(before, toys...)
		keeper := x.awaitKeeper()
		tr := x.trace(keeper, p)
		x.act(verb, toys...)
		return x.relieve(tr)
	}
}

// bornKeeper meets its point while it takes over from the one before, or in what
// is asked for then.
func bornKeeper(x *tortured, p point) bool {
	x.changeGuard()
	before := x.awaitKeeper()
	bar := x.barKeepers()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		x.t.Fatal(err)
	}
	barred := false
	x.waitFor("the next keeper is barred, or was faster", func() bool {
		select {
		case <-bar.held:
			barred = true
		default:
		}
		now := x.keeperPid()
		return barred || now != 0 && now != before
	})
	if !barred {
		bar.lift()
		return false
	}
	var next int
	x.soon("the next keeper is born", func() bool {
		next = x.newbornKeeper(before)
		return next != 0
	})
	tr := x.trace(next, p)
	bar.lift()
	someVerbs(x)
	return x.relieve(tr)
}

// relieve has the tracer let go of its keeper, waits for one that is well, and
// judges.
func (x *tortured) relieve(tr *tracer) (met bool) {
	x.t.Helper()
	met = tr.fired()
	x.end(tr)
	x.awaitKeeper()
	x.judge()
	return met
}

// changeGuard kills peerd now and then in a campaign against the keeper: the
// next peerd is not the one that started it.
func (x *tortured) changeGuard() {
	x.t.Helper()
	if x.guards++; x.guards%8 == 0 {
		x.again()
	}
}

// awaitKeeper waits until there is a keeper, and returns its pid.
func (x *tortured) awaitKeeper() (pid int) {
	x.t.Helper()
	x.waitFor("there is a keeper", func() bool {
		pid = x.keeperPid()
		return pid != 0 && alive(pid)
	})
	return pid
}

// bar is the lock of the runtime folder in the test's hands: the next keeper
// waits at its birth until it is lifted.
type bar struct {
	file *os.File
	held chan struct{} // closed when it is
}

// barKeepers takes the lock as soon as the present keeper is gone.
func (x *tortured) barKeepers() *bar {
	x.t.Helper()
	file, err := os.OpenFile(x.path("run/keeper.lock"), os.O_RDWR, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	b, fd := &bar{file, make(chan struct{})}, int(file.Fd())
	go func() {
		defer close(b.held)
		for syscall.Flock(fd, syscall.LOCK_EX) == syscall.EINTR {
		}
	}()
	return b
}

func (b *bar) lift() { _ = b.file.Close() }

// newbornKeeper is a keeper other than the one before, 0 for none: a child of
// peerd.
func (x *tortured) newbornKeeper(before int) int {
	for _, p := range torture.Children(x.cmd.Process.Pid) {
		if p.Pid != before && isKeeper(p.Argv) {
			return p.Pid
		}
	}
	return 0
}

// isKeeper reports whether a command line is that of a keeper: the small program,
// or peerd itself.
func isKeeper(argv []string) bool {
	return len(argv) == 1 && filepath.Base(argv[0]) == "peerd-keeper" || len(argv) == 2 && argv[1] == "keeper"
}
