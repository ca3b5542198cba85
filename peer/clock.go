package peer

import (
	"fmt"
	"sync"
	"time"
)

// moment is one moment by two clocks.
type moment struct {
	wall time.Time     // as people read it; it may be set
	ran  time.Duration // since the peer started; it only ever goes on
}

func (p *Peer) now() moment {
	now := time.Now()
	return moment{wall: now.Round(0), ran: now.Sub(p.startedAt)}
}

func (i moment) isZero() bool { return i.wall.IsZero() }

// setSince is by how much the wall clock was set between before and i.
func (i moment) setSince(before moment) time.Duration {
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
	nudged chan struct{} // holds a token when the scheduler should look

	mu     sync.Mutex // guards the following fields
	last   moment     // of the last look
	jumped moment     // when it was noticed last that it was set
	by     time.Duration
}

// look returns by how much the wall clock was set since the last look; 0: it
// was not.
func (c *clock) look(now moment) time.Duration {
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
	c.nudge()
	return jump
}

// nudge has those look at the clock who go by it.
func (c *clock) nudge() {
	select {
	case c.nudged <- struct{}{}:
	default:
	}
}

// unsteady is the trouble with a clock that was set just now; nil: there is
// none.
func (c *clock) unsteady(now moment) error {
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
