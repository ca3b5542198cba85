package peer

import (
	"context"
	"errors"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// schedule starts timed one-shots when their time comes, until ctx ends. It
// goes by the wall clock, which it reads anew at least once a minute, for it may
// be set.
func (p *Peer) schedule(ctx context.Context) {
	for {
		plan, changed := p.planAndChange()
		now := wallClock()
		wake := now.Add(lateness)
		var errs []error
		for _, s := range plan.Specs {
			if s.Schedule == "" {
				continue
			}
			errs = append(errs, p.attend(ctx, s, now))
			if at := p.timetable.next(s, now); !at.IsZero() && at.Before(wake) {
				wake = at
			}
		}
		p.degraded.set("schedule", errors.Join(errs...))
		timer := time.NewTimer(wake.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
		case <-p.clock.nudged:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// wallClock is the time without the monotonic reading that would hide a clock
// that was set.
func wallClock() time.Time { return time.Now().Round(0) }

// attend gives one instance what it is owed. Its error says what could not be
// remembered; the run takes place all the same.
func (p *Peer) attend(ctx context.Context, s *profiles.Spec, now time.Time) error {
	if !s.Enabled {
		return p.timetable.forget(supervisor.KeyOf(s)) // what falls due meanwhile is not missed
	}
	since, err := p.timetable.since(s, now)
	is := owed(s, since, now)
	if is == nothing {
		return err
	}
	given, err := p.passage.order(ctx, "a schedule")
	if err != nil {
		return nil // the next program gives it
	}
	defer given()
	err = p.timetable.settle(s, now)
	by := "schedule " + s.Schedule
	if is == missed {
		p.log.Warn("runs were missed", "component", supervisor.KeyOf(s).String(), "schedule", s.Schedule, "since", since, "missedRuns", s.MissedRuns)
		by += ", missed"
	}
	if is == onTime || s.MissedRuns == "once" {
		p.runScheduled(ctx, s, by)
	}
	return err
}

// runScheduled starts a run, unless an operator has stopped the instance or the
// last run still lives.
func (p *Peer) runScheduled(ctx context.Context, s *profiles.Spec, by string) {
	k := supervisor.KeyOf(s)
	v, ok := p.sup.View(k)
	if !ok || p.isUnwanted(k) {
		return
	}
	if !v.AtRest() {
		p.log.Warn("the last run is not over; this one is left out", "component", k.String(), "schedule", s.Schedule)
		return
	}
	if err := p.sup.Act(ctx, lifecycle.EvStart, lifecycle.CauseCommand, by, k); err != nil && ctx.Err() == nil {
		p.log.Error("cannot start a scheduled run", "component", k.String(), "error", err)
	}
}
