package probe

import (
	"context"
	"time"
)

// Schedule says when to check and what follows.
type Schedule struct {
	Interval    time.Duration // between the end of one check and the next; default 10 s
	Timeout     time.Duration // of each; default 2 s
	Failures    int           // consecutive ones until unhealthy; default 3
	Successes   int           // consecutive ones until healthy again; default 1
	StartPeriod time.Duration // failures in it do not count, until the first success
}

func (s Schedule) withDefaults() Schedule {
	if s.Interval <= 0 {
		s.Interval = 10 * time.Second
	}
	if s.Timeout <= 0 {
		s.Timeout = 2 * time.Second
	}
	if s.Failures <= 0 {
		s.Failures = 3
	}
	if s.Successes <= 0 {
		s.Successes = 1
	}
	return s
}

// Health is the verdict over several checks.
type Health uint8

// The verdicts.
const (
	Unknown Health = iota
	Healthy
	Unhealthy
)

// String returns the verdict as users see it.
func (h Health) String() string {
	switch h {
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	}
	return "unknown"
}

// Tracker turns results into verdicts; it is pure. Its zero value knows
// nothing yet.
type Tracker struct {
	health Health
	streak int // consecutive results that speak against health
}

// Health is the verdict so far.
func (t *Tracker) Health() Health { return t.health }

// Observe adds the result of a check that ended `since` after the start. The
// first success makes healthy at once; after that, thresholds count. A check
// that could not be made says nothing.
func (t *Tracker) Observe(sch Schedule, r Result, since time.Duration) Health {
	sch = sch.withDefaults()
	switch {
	case r.Unable:
	case r.OK && t.health == Unhealthy:
		t.count(sch.Successes, Healthy)
	case r.OK:
		t.health, t.streak = Healthy, 0
	case t.health == Unhealthy:
		t.streak = 0
	case t.health == Unknown && since < sch.StartPeriod:
	default:
		t.count(sch.Failures, Unhealthy)
	}
	return t.health
}

// count lets one more result speak for verdict, which stands at limit.
func (t *Tracker) count(limit int, verdict Health) {
	if t.streak++; t.streak >= limit {
		t.health, t.streak = verdict, 0
	}
}

// Run checks on the schedule, the first time at once, until ctx ends, one check
// in flight, and calls changed (from the calling goroutine) when the verdict
// changes. It blocks; once ctx has ended, changed is not called any more.
func Run(ctx context.Context, s Spec, sch Schedule, changed func(Health, Result)) {
	sch = sch.withDefaults()
	var t Tracker
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		each, cancel := context.WithTimeout(ctx, sch.Timeout)
		r := Check(each, s)
		cancel()
		if ctx.Err() != nil {
			return
		}
		before := t.Health()
		if now := t.Observe(sch, r, time.Since(start)); now != before {
			changed(now, r)
		}
		timer.Reset(sch.Interval)
	}
}
