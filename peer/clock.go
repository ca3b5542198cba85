package peer

import (
	"fmt"
	"sync"
	"time"
)

// instant is one moment by two clocks.
type instant struct {
	wall time.Time     // as people read it; it may be set
	ran  time.Duration // since the peer started; it only ever goes on
}

func (p *Peer) now() instant {
	now := time.Now()
	return instant{wall: now.Round(0), ran: now.Sub(p.startedAt)}
}

func (i instant) isZero() bool { return i.wall.IsZero() }

// setSince is by how much the wall clock was set between before and i.
func (i instant) setSince(before instant) time.Duration {
	return i.wall.Sub(before.wall) - (i.ran - before.ran)
}

const (
	// jumpAtLeast is how far the wall clock must run away from the other one
	// between two looks to count as set: less is slewing, or a late look.
	jumpAtLeast = 2 * time.Second
	// unsteadyFor is how long a jump counts as trouble.
	unsteadyFor = 4 * time.Second
)

// clock watches the wall clock. All that the peer waits for, it measures by the
// other one; only what people read, and schedules, go by the wall clock.
type clock struct {
	mu     sync.Mutex // guards the following fields
	last   instant    // of the last look
	jumped instant    // when it was noticed last that it was set
	by     time.Duration
}

// look returns by how much the wall clock was set since the last look; 0: it
// was not.
func (c *clock) look(now instant) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last
	c.last = now
	if last.isZero() {
		return 0
	}
	jump := now.setSince(last)
	if jump.Abs() < jumpAtLeast {
		return 0
	}
	c.jumped, c.by = now, jump
	return jump
}

// unsteady is the trouble with a clock that was set just now; nil: there is
// none.
func (c *clock) unsteady(now instant) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jumped.isZero() || now.ran-c.jumped.ran > unsteadyFor {
		return nil
	}
	return fmt.Errorf("the wall clock was set by %v just now", c.by.Round(time.Second))
}

// lastJump tells of the last time that the clock was set; "": never.
func (c *clock) lastJump() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jumped.isZero() {
		return ""
	}
	return fmt.Sprintf("the wall clock was set by %v at %s: what was noted before goes by the old one",
		c.by.Round(time.Second), c.jumped.wall.Format(time.RFC3339))
}
