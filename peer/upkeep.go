package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
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
	p.clock.look(time.Now())
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
	p.reloadIfChanged(ctx)
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
	now := time.Now()
	if jump := p.clock.look(now); jump != 0 {
		p.log.Warn("the wall clock was set", "by", jump.String())
	}
	p.degraded.set("clock", p.clock.unsteady(now))
}

const (
	// jumpAtLeast is how far the wall clock must run away from the monotonic one
	// between two looks to count as set: less is slewing, or a late look.
	jumpAtLeast = 2 * time.Second
	// unsteadyFor is how long a jump counts as trouble.
	unsteadyFor = 4 * time.Second
)

// clock compares the wall clock with the monotonic one. All that the peer waits
// for, it measures by the latter; what people read is the former.
type clock struct {
	mu     sync.Mutex // guards the following fields
	last   time.Time  // of the last look, with both readings
	jumped time.Time  // when it was noticed last that it was set
	by     time.Duration
}

// look returns by how much the wall clock was set since the last look; 0: it
// was not.
func (c *clock) look(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last
	c.last = now
	if last.IsZero() {
		return 0
	}
	jump := now.Round(0).Sub(last.Round(0)) - now.Sub(last)
	if jump.Abs() < jumpAtLeast {
		return 0
	}
	c.jumped, c.by = now, jump
	return jump
}

// unsteady is the trouble with a clock that was set just now; nil: there is
// none.
func (c *clock) unsteady(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jumped.IsZero() || now.Sub(c.jumped) > unsteadyFor {
		return nil
	}
	return fmt.Errorf("the wall clock was set by %v just now", c.by.Round(time.Second))
}

// lastJump tells of the last time that the clock was set; "": never.
func (c *clock) lastJump() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jumped.IsZero() {
		return ""
	}
	return fmt.Sprintf("the wall clock was set by %v at %s: times before that are of the old clock", c.by.Round(time.Second), c.jumped.Format(time.RFC3339))
}
