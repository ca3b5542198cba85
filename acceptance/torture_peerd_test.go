//go:build linux

package acceptance_test

import (
	"strings"
	"syscall"
)

// errand is what a peer is asked for.
type errand func(x *tortured)

func nothing(*tortured) {}

// someVerbs acts on the toys by chance.
func someVerbs(x *tortured) {
	for range 3 {
		verb := []string{"restart", "stop", "start", "kill"}[x.chance.IntN(4)]
		x.act(verb, toys[x.chance.IntN(len(toys))])
	}
}

// bornPeerd meets its point in the recovery, or in what is asked for then.
func bornPeerd(do errand) func(x *tortured, p point) bool {
	return func(x *tortured, p point) bool {
		x.strikePeerd()
		x.refresh(p)
		tr := x.bear(p)
		x.soon("peerd is ready, or somebody is over", func() bool { return tr.fired() || x.isOver() || x.get("/readyz") == 200 })
		do(x)
		return x.reap(tr)
	}
}

// grownPeerd meets its point while it does something to all the toys.
func grownPeerd(before, verb string) func(x *tortured, p point) bool {
	return func(x *tortured, p point) bool {
		x.again()
		x.act(before, toys...)
		tr := x.trace(x.cmd.Process.Pid, p)
		x.act(verb, toys...)
		return x.reap(tr)
	}
}

// reloadedPeerd meets its point while it applies another profile.
func reloadedPeerd(x *tortured, p point) bool {
	x.again()
	x.act("start", toys...)
	tr := x.trace(x.cmd.Process.Pid, p)
	x.edit()
	x.ccpc("reload")
	return x.reap(tr)
}

// edit changes toy, and has a guest come or go.
func (x *tortured) edit() {
	x.edits++
	text := strings.Replace(company, `/toy"]`, `/toy"], env: {EDIT: "`+strings.Repeat("x", x.edits%7)+`"}`, 1)
	if x.edits%2 == 0 {
		text += "  guest: {command: [\"${DIARIST}\", \"${DIARIES}/guest\"], ready: {startSeconds: 0s}}\n"
	}
	x.write(text)
}

// bootedPeerd meets its point while it starts everything.
func bootedPeerd(x *tortured, p point) bool {
	clear(x.evidence.Untouched)
	x.again()
	x.act("start", toys...)
	x.signal(syscall.SIGTERM)
	if status := x.over(); status.ExitStatus() != 0 {
		x.t.Errorf("peerd ended with %s after SIGTERM", describe(status))
	}
	tr := x.bear(p)
	x.soon("peerd is ready, or somebody is over", func() bool { return tr.fired() || x.isOver() || x.get("/readyz") == 200 })
	return x.reap(tr)
}

// leavingPeerd meets its point while it stops everything.
func leavingPeerd(x *tortured, p point) bool {
	clear(x.evidence.Untouched)
	x.again()
	x.act("start", toys...)
	tr := x.trace(x.cmd.Process.Pid, p)
	_ = syscall.Kill(x.cmd.Process.Pid, syscall.SIGTERM) // it may be over already
	x.soon("peerd is over", func() bool { return x.isGone(tr) })
	met := tr.fired()
	x.end(tr)
	if status := x.over(); !met && status.ExitStatus() != 0 {
		x.t.Errorf("peerd ended with %s after SIGTERM", describe(status))
	}
	return met
}

// again kills what may still run, starts the next peerd and judges what it
// found.
func (x *tortured) again() {
	x.t.Helper()
	x.strikePeerd()
	x.run()
	x.ready()
	x.judge()
}

// refresh judges now and then: a peer that is killed in its recovery again and
// again is seldom asked.
func (x *tortured) refresh(p point) {
	if p.n%3 == 1 {
		x.again()
		x.act("start", toys...)
		x.strikePeerd()
	}
}

// strikePeerd kills peerd if it runs.
func (x *tortured) strikePeerd() {
	x.t.Helper()
	if !x.isOver() {
		x.signal(syscall.SIGKILL)
		x.over()
	}
}

// isGone reports whether a traced peerd has ended, though its tracer may not
// have let go of it.
func (x *tortured) isGone(tr *tracer) bool { return tr.killed(x.cmd.Process.Pid) || x.isOver() }

// reap ends a peerd that is traced, one way or the other, and reports whether
// the point was met. One that ends by itself is a violation, and so is one that
// does not outlive a child which met the point in its place.
func (x *tortured) reap(tr *tracer) (met bool) {
	x.t.Helper()
	met = tr.fired()
	if met {
		x.end(tr)
		x.soon("peerd is over or well", func() bool { return x.isOver() || x.get("/readyz") == 200 })
	}
	pid := x.cmd.Process.Pid
	if !x.isOver() {
		met = met || !alive(pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	x.end(tr)
	if status := x.over(); status.Signal() != syscall.SIGKILL {
		x.t.Errorf("peerd ended by itself: %s", describe(status))
	}
	return met
}
