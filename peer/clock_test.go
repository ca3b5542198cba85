package peer

import (
	"strings"
	"testing"
	"time"
)

// A clock that is set is noticed, shown for a while, and remembered; one that
// merely goes a little wrong, or is looked at late, is not.
func TestAClockThatIsSet(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := clock{nudged: make(chan struct{}, 1)}
	ran, off := time.Duration(0), time.Duration(0)
	now := func() moment { return moment{wall: start.Add(ran + off), ran: ran} }
	c.look(now())
	for _, step := range []struct {
		passes, set, want time.Duration
	}{
		{time.Second, 0, 0},
		{time.Hour, 0, 0}, // a late look
		{time.Second, 500 * time.Millisecond, 0},
		{time.Second, -time.Hour, -time.Hour},
		{time.Second, 0, 0},
		{time.Second, time.Hour, time.Hour},
	} {
		ran, off = ran+step.passes, off+step.set
		if got := c.look(now()); got != step.want {
			t.Errorf("set by %v: noticed %v", step.set, got)
		}
	}
	if len(c.nudged) != 1 {
		t.Error("the scheduler was not told")
	}
	if err := c.unsteady(now()); err == nil || !strings.Contains(err.Error(), "1h0m0s") {
		t.Errorf("just now: %v", err)
	}
	ran += time.Minute
	if err := c.unsteady(now()); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if said := c.lastJump(); !strings.Contains(said, "1h0m0s") {
		t.Errorf("afterwards: %q", said)
	}
}
