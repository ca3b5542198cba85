package peer

import (
	"context"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// nap bounds how long the scheduler sleeps while anything has a schedule, so
// that a wall clock that is set is noticed.
const nap = time.Second

// schedule starts timed one-shots when their time comes, until ctx ends. A run
// that is due while the last one still lives is left out, and so is one whose
// time passed while no peer was running, or in a gap of the wall clock.
func (p *Peer) schedule(ctx context.Context) {
	table := timetable{ran: map[supervisor.Key]instant{}}
	for {
		plan, changed := p.planAndChange()
		var wake <-chan time.Time
		if wait := table.wait(plan.Specs, p.now()); wait > 0 {
			wake = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-wake:
		}
		for _, s := range table.due(plan.Specs, p.now()) {
			p.runScheduled(ctx, s)
		}
	}
}

// timetable tells which runs are due. It goes by the wall clock, as schedules
// do, and takes care where that is set. It belongs to one goroutine.
type timetable struct {
	last instant // of the last look; zero while there is nothing to look for
	ran  map[supervisor.Key]instant
}

// wait is how long to sleep; 0: until there is another plan.
func (t *timetable) wait(specs []*profiles.Spec, now instant) time.Duration {
	wait := time.Duration(0)
	for _, s := range specs {
		at := nextRun(s, now.wall)
		if at.IsZero() {
			continue
		}
		if wait == 0 {
			wait = nap
		}
		wait = min(wait, max(at.Sub(now.wall), time.Millisecond))
	}
	if wait == 0 {
		t.last = instant{}
	} else if t.last.isZero() {
		t.last = now
	}
	return wait
}

// Where the clock was set back, a time comes twice. What is due at a certain
// time of day does not run again then, unless the clock was far out; what is due
// again and again goes on by the new clock. (So do the crons that people know.)
const (
	noSecondRun = 3 * time.Hour
	noQuickRun  = time.Minute
)

// due are the instances whose time came since the last look.
func (t *timetable) due(specs []*profiles.Spec, now instant) (due []*profiles.Spec) {
	if t.last.isZero() {
		return nil
	}
	from := t.last.wall
	if now.setSince(t.last).Abs() >= jumpAtLeast { // nothing is made up for
		from = now.wall.Add(t.last.ran - now.ran)
	}
	t.last = now
	for _, s := range specs {
		k := supervisor.KeyOf(s)
		if strings.HasPrefix(s.Schedule, every) {
			if t.dueEvery(k, s, now) {
				due = append(due, s)
			}
			continue
		}
		at, window := nextRun(s, from), noSecondRun
		if at.IsZero() || at.After(now.wall) {
			continue
		}
		if repeats(s.Schedule) {
			window = noQuickRun
		}
		if back := t.ran[k].wall.Sub(at); back >= 0 && back < window {
			continue
		}
		t.ran[k] = instant{wall: at, ran: now.ran}
		due = append(due, s)
	}
	return due
}

// every begins the schedules that go by no clock: "@every 90s".
const every = "@every "

// dueEvery reports whether the span of s is over since it was due last, or was
// seen first.
func (t *timetable) dueEvery(k supervisor.Key, s *profiles.Spec, now instant) bool {
	since, seen := t.ran[k]
	if seen && now.ran-since.ran < nextRun(s, since.wall.Truncate(time.Second)).Sub(since.wall.Truncate(time.Second)) {
		return false
	}
	t.ran[k] = now
	return seen
}

// repeats reports whether a schedule names no time of day.
func repeats(schedule string) bool {
	fields := strings.Fields(schedule)
	if len(fields) > 0 && strings.Contains(fields[0], "TZ=") {
		fields = fields[1:]
	}
	switch {
	case len(fields) == 0:
		return false
	case strings.HasPrefix(fields[0], "@"):
		return fields[0] == "@hourly"
	}
	return strings.Contains(strings.Join(fields[:min(2, len(fields))], " "), "*")
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
	if err := p.sup.Act(ctx, lifecycle.EvStart, lifecycle.CauseCommand, "schedule "+s.Schedule, k); err != nil && ctx.Err() == nil {
		p.log.Error("cannot start a scheduled run", "component", k.String(), "error", err)
	}
}
