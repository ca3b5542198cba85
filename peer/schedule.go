package peer

import (
	"context"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// maxNap bounds how long the scheduler sleeps, so that a clock that jumps is
// noticed.
const maxNap = time.Minute

// schedule starts timed one-shots when their time comes, until ctx ends. A run
// that is due while the last one still lives is left out, and so is one whose
// time passed while no peer was running.
func (p *Peer) schedule(ctx context.Context) {
	last := *p.lookedAt.Load()
	for {
		looked := last
		p.lookedAt.Store(&looked)
		plan, changed := p.planAndChange()
		next := last.Add(maxNap)
		for _, s := range plan.Specs {
			if at := nextRun(s, last); !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
			continue
		case <-timer.C:
		}
		now := time.Now()
		if now.Before(last) || now.Sub(next) > maxNap {
			last = now // the clock jumped: what lies between is not made up for
			continue
		}
		for _, s := range plan.Specs {
			if at := nextRun(s, last); !at.IsZero() && !at.After(now) {
				p.runScheduled(ctx, s)
			}
		}
		last = now
	}
}

// nextRun is when a timed instance is due next after t; zero for others.
func nextRun(s *profiles.Spec, t time.Time) time.Time {
	if s.Schedule == "" || !s.Enabled {
		return time.Time{}
	}
	times, err := cron.ParseStandard(s.Schedule)
	if err != nil {
		return time.Time{} // the profile's check lets none through
	}
	return times.Next(t)
}

func (p *Peer) runScheduled(ctx context.Context, s *profiles.Spec) {
	k := supervisor.KeyOf(s)
	v, ok := p.sup.View(k)
	if !ok || p.isUnwanted(k) {
		return
	}
	if !v.AtRest() {
		p.log.Warn("the last run is not over; this one is left out", "component", k.String(), "schedule", s.Schedule)
		return
	}
	if err := p.order(ctx, lifecycle.EvStart, lifecycle.CauseCommand, "schedule "+s.Schedule, k); err != nil && ctx.Err() == nil {
		p.log.Error("cannot start a scheduled run", "component", k.String(), "error", err)
	}
}
