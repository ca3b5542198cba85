//go:build linux

package acceptance_test

import (
	"os"
	"syscall"
	"testing"
)

// Rounds in which verbs meet a disk without a byte to spare, or a peerd or a keeper
// that gets no more descriptors, for up to half a second each; and now and then
// peerd is killed in it. Whatever was refused or could not be recorded at once,
// the evidence is whole afterwards.
func TestRoundsOfScarcity(t *testing.T) {
	t.Parallel()
	x := tormentOn(t, func(p *peerd) {
		p.smallDisk()
		p.logsElsewhere()
	})
	for round := range rounds(8, 200) {
		end := x.scarcity()
		asked, told := x.someVerb()
		x.pause()
		struck := x.chance.IntN(4) == 0
		if struck {
			x.strikePeerd()
		}
		end()
		r := x.heard(asked, <-told)
		if struck {
			x.run()
			x.ready()
		}
		x.recovers()
		x.judge()
		if x.act("start", toys...); t.Failed() {
			t.Fatalf("in round %d, after %v", round, r)
		}
	}
	x.finish()
}

// scarcity begins one of the faults, or two, and returns what ends them.
func (x *tortured) scarcity() (end func()) {
	x.t.Helper()
	faults := []func() func(){
		x.fillDisk,
		func() func() { return x.tighten(x.cmd.Process.Pid) },
		func() func() { return x.tighten(x.awaitKeeper()) },
	}
	x.chance.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	var ends []func()
	for _, begin := range faults[:1+x.chance.IntN(2)] {
		ends = append(ends, begin())
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// logsElsewhere has what is captured not depend on the small disk: a line that was
// lost for want of room would be no violation, and could not be told from one that
// is.
func (p *peerd) logsElsewhere() {
	p.t.Helper()
	for _, dir := range []string{"logs", "state/logs"} {
		if err := os.Mkdir(p.path(dir), 0o700); err != nil {
			p.t.Fatal(err)
		}
	}
	dir := p.path("state/logs")
	if err := syscall.Mount(p.path("logs"), dir, "", syscall.MS_BIND, ""); err != nil {
		p.t.Skipf("cannot bind a folder: %v", err)
	}
	p.t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}
