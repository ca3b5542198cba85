//go:build linux

package acceptance_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// Issue 4: rounds of (random verb, SIGKILL of peerd after 0–500 ms, restart).
// The keeper, which lives through all of them, holds no more in the end.
func TestRoundsOfKillingPeerd(t *testing.T) {
	t.Parallel()
	x := torment(t)
	before := x.keeperHolds()
	for round := range rounds(20, 200) {
		asked, told := x.someVerb()
		x.pause()
		x.strikePeerd()
		r := x.heard(asked, <-told)
		x.run()
		x.ready()
		x.judge()
		if x.act("start", toys...); t.Failed() {
			t.Fatalf("in round %d, after %v", round, r)
		}
	}
	x.holdsNoMore("the keeper", before, x.keeperHolds)
	x.finish()
}

// The same with the keeper killed: no verb fails over it, and peerd holds no
// more in the end.
func TestRoundsOfKillingTheKeeper(t *testing.T) {
	t.Parallel()
	x := torment(t)
	before := x.peerdHolds()
	for round := range rounds(20, 200) {
		asked, told := x.someVerb()
		x.pause()
		x.killKeeper()
		r := x.heard(asked, <-told)
		if r.code != 0 {
			t.Errorf("%v", r)
		}
		x.judge()
		if x.act("start", toys...); t.Failed() {
			t.Fatalf("in round %d, after %v", round, r)
		}
	}
	x.holdsNoMore("peerd", before, x.peerdHolds)
	x.finish()
}

// pause lets up to half a second go by: when the kill comes is the point.
func (x *tortured) pause() { time.Sleep(time.Duration(x.chance.IntN(500)) * time.Millisecond) }

// someVerb has ccpc do something to the toys and tells later how it went.
func (x *tortured) someVerb() (asked time.Time, told <-chan result) {
	name := toys[x.chance.IntN(len(toys))]
	verb := [][]string{
		{"restart", name},
		{"stop", name},
		{"kill", name},
		{"start", name},
		{"stop", name, "--no-wait"},
		append([]string{"restart"}, toys...),
		{"reload"},
		{"ps"},
	}[x.chance.IntN(8)]
	if verb[0] == "reload" {
		x.edit()
	}
	done := make(chan result, 1)
	go func() { done <- x.ccpc(append(verb, "-o", "json")...) }()
	return time.Now(), done
}

// keeperHolds is what the keeper holds while nothing happens. Its goroutines are
// read from its last words, so that the next one takes over.
func (x *tortured) keeperHolds() torture.Usage {
	x.t.Helper()
	defer x.quiet()()
	keeper := x.awaitKeeper()
	u := x.usage(keeper)
	if err := syscall.Kill(keeper, syscall.SIGQUIT); err != nil {
		x.t.Fatal(err)
	}
	x.waitFor("the next keeper", func() bool { now := x.keeperPid(); return now != 0 && now != keeper })
	u.Goroutines = x.lastWords("run/keeper.log")
	return u
}

// peerdHolds is the same of peerd.
func (x *tortured) peerdHolds() torture.Usage {
	x.t.Helper()
	defer x.quiet()()
	x.awaitKeeper()
	u := x.usage(x.cmd.Process.Pid)
	x.signal(syscall.SIGQUIT)
	x.over()
	u.Goroutines = x.lastWords("peerd.log")
	x.run()
	x.ready()
	return u
}
