package peer

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// upkeepEvery is how often the peer looks after itself: what is in trouble is
// tried again, so that it recovers soon after the cause is gone, also when
// nobody asks for anything.
const upkeepEvery = time.Second

// upkeep looks after the peer until ctx ends.
func (p *Peer) upkeep(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	p.clock.look(p.now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.mindClock()
		p.degraded.set("files", spareFile())
		p.degraded.set("disk", diskTrouble(filepath.Dir(p.logDir), p.logDir))
		p.mendJournal(ctx)
		p.mendLogs()
	}
}

// mendJournal tries a journal that refuses, and makes up for what could not be
// done meanwhile.
func (p *Peer) mendJournal(ctx context.Context) {
	if !p.degraded.has("journal") {
		return
	}
	err := p.journal.Sync()
	p.degraded.set("journal", err)
	if err != nil || ctx.Err() != nil {
		return
	}
	p.log.Info("the journal can write again")
	p.primaries.notify()
	p.clock.nudge()
	p.reloadIfChanged(ctx, "")
}

// mendLogs has the keeper try the files of those whose output is being lost.
func (p *Peer) mendLogs() {
	for _, v := range p.sup.Views() {
		if g := generationOf(v); g != nil {
			if l := g.loss(); l != nil && l.Why != "" {
				g.dropped()
			}
		}
	}
}

// spareFile says why no file can be opened now; nil is that one can.
func spareFile() error {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	return f.Close()
}

// mindClock notices when the wall clock was set.
func (p *Peer) mindClock() {
	now := p.now()
	if jump := p.clock.look(now); jump != 0 {
		p.log.Warn("the wall clock was set", "by", jump.String())
	}
	p.degraded.set("clock", p.clock.unsteady(now))
}
