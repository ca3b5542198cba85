package supervisor_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

var (
	simulationSeeds = flag.Int("simulation.seeds", 4, "how many seeds TestSimulation plays")
	simulationFirst = flag.Uint64("simulation.first", 1, "the first seed of TestSimulation")
	simulationHours = flag.Int("simulation.hours", 24, "virtual hours that each seed of TestSimulation lasts")
)

// TestSimulation plays virtual days of random crashes, hangs, reloads and
// commands over fifty instances, and holds them against a small model of the
// nine rules. A failure names its seed; -simulation.first=SEED
// -simulation.seeds=1 plays much the same day again.
func TestSimulation(t *testing.T) {
	for n := range *simulationSeeds {
		seed := *simulationFirst + uint64(n)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

const simulated = 50 // instances

// simulation is one seed at play: the driver's side. The components' side is
// the stage.
type simulation struct {
	t     *testing.T
	rand  *rand.Rand
	sup   *supervisor.Supervisor
	stage *stage
	plan  *profiles.Plan
	wish  map[supervisor.Key]wish // by commands; missing: whatever
}

// wish is what an operator wanted last, as long as nothing else may interfere.
type wish uint8

const (
	anything wish = iota
	down
)

func simulate(t *testing.T, seed uint64) {
	s := &simulation{t: t, rand: rand.New(rand.NewPCG(seed, 0)), wish: map[supervisor.Key]wish{}}
	s.stage = newStage(t, seed)
	s.sup = supervisor.New(supervisor.Options{Launcher: s.stage, Record: s.stage.record})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.sup.Run(ctx) }()
	s.reload(s.firstPlan())
	for end := time.Now().Add(time.Duration(*simulationHours) * time.Hour); time.Now().Before(end) && !t.Failed(); {
		after(time.Duration(s.rand.ExpFloat64() * float64(4*time.Minute)))
		s.disturb()
		synctest.Wait()
		s.check()
	}
	s.finale()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
	s.stage.checkRecords()
}

// disturb does one of the things that happen to a peer.
func (s *simulation) disturb() {
	switch s.rand.IntN(13) {
	case 0, 1, 2:
		s.command(lifecycle.EvStart)
	case 3, 4:
		s.command(lifecycle.EvStop)
	case 5, 6:
		s.command(lifecycle.EvRestart)
	case 7:
		s.command(lifecycle.EvKill)
	case 8, 9:
		s.reload(s.changedPlan())
	case 10:
		mean := 2 * time.Minute
		if s.rand.IntN(10) == 0 {
			mean = 30 * time.Minute
		}
		s.stage.outage(time.Duration(s.rand.ExpFloat64() * float64(mean)))
	case 11:
		s.stage.strike(s.rand.IntN(10))
	case 12:
		s.reloadSame()
	}
}

// command is an operator's, for a few instances or for all.
func (s *simulation) command(kind lifecycle.EventKind) {
	var keys []supervisor.Key
	n, all := 1+s.rand.IntN(4), s.rand.IntN(12) == 0
	for _, v := range s.sup.Views() {
		if all || s.rand.IntN(simulated) < n {
			keys = append(keys, v.Key)
		}
	}
	if kind == lifecycle.EvKill {
		s.stage.force(keys)
	}
	if err := s.sup.Act(s.t.Context(), kind, lifecycle.CauseCommand, "operator", keys...); err != nil {
		s.t.Fatal(err)
	}
	if kind == lifecycle.EvStop || kind == lifecycle.EvKill {
		for _, k := range keys {
			s.wish[k] = down
		}
		return
	}
	clear(s.wish) // a start pulls up what is depended on
	synctest.Wait()
	for _, k := range keys {
		if v, ok := s.sup.View(k); ok && kind == lifecycle.EvStart && v.Machine.Desired != lifecycle.Up {
			s.t.Errorf("%s was started and is wanted %s (%s)", k, v.Machine.Desired, v.Machine.Status)
		}
	}
}

// reload applies a plan: what does not differ, and depends on nothing that
// does, goes on.
func (s *simulation) reload(next *profiles.Plan) {
	changes := profiles.Diff(s.plan, next)
	before, touched := s.sup.Views(), reach(s.plan, next, changes)
	s.plan = next
	clear(s.wish)
	s.stage.plan(next)
	if err := s.sup.Apply(s.t.Context(), next, changes, s.stage.known(), "reload"); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	for _, v := range before {
		now, ok := s.sup.View(v.Key)
		if ok && !v.AtRest() && !touched[v.Name] && (now.Machine.Generation != v.Machine.Generation || now.Machine.Status != v.Machine.Status) {
			s.stage.checkUntouched(v, now)
		}
	}
}

// reloadSame applies the plan that is in force already: nothing moves.
func (s *simulation) reloadSame() {
	before := s.sup.Views()
	if err := s.sup.Apply(s.t.Context(), s.plan, profiles.Diff(s.plan, s.plan), s.stage.known(), "reload"); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	for i, v := range s.sup.Views() {
		if v != before[i] {
			s.stage.broken(7, "an identical reload changes %s", v.Key)
		}
	}
}

// check holds the views against the model at a moment when nothing moves.
func (s *simulation) check() {
	views := s.sup.Views()
	for _, v := range views {
		// A stop may still wait for dependents to go first; they are alive then.
		if m := v.Machine; s.wish[v.Key] == down && v.AtRest() && m.Desired != lifecycle.Down {
			s.t.Errorf("%s was stopped and is wanted %s (%s, generation %d): %v", v.Key, m.Desired, m.Status, m.Generation, s.stage.tail(v.Key))
		}
	}
	s.stage.check(views)
	h := s.sup.Held()
	if h.Mail > 0 || h.Wanted > 0 || h.Nodes != h.Actors || h.Listed != h.Actors || h.Actors != len(s.plan.Specs)+h.Leaving {
		s.stage.broken(8, "at rest %s", h)
	}
}

// finale: everything is stopped, in time, and stays down; then everything is
// started, and whoever can run does; then everything ends for good.
func (s *simulation) finale() {
	s.stage.calm()
	s.commandAll(lifecycle.EvStop)
	after(time.Hour)
	for _, v := range s.sup.Views() {
		if !v.AtRest() || v.Machine.Desired != lifecycle.Down {
			s.t.Errorf("at the end %s is %s, wanted %s (%s)", v.Key, v.Machine.Status, v.Machine.Desired, v.Machine.Reason)
		}
	}
	s.check()
	clear(s.wish)
	if h := s.sup.Held(); h.Pending+h.Leaving+h.Unsaved+h.Settling > 0 || h.Actors != len(s.plan.Specs) {
		s.stage.broken(8, "when all is down, %s", h)
	}
	s.commandAll(lifecycle.EvStart)
	after(time.Hour)
	for _, v := range s.sup.Views() {
		if !v.Started() && v.Spec.Enabled {
			s.t.Errorf("started at the end, %s is %s (%s)", v.Key, v.Machine.Status, v.Machine.Reason)
		}
	}
	s.check()
	s.drain()
}

// drain ends everything for good: what is refused from then on changes nothing.
func (s *simulation) drain() {
	if err := s.sup.Drain(s.t.Context(), lifecycle.CauseReload, "finale"); err != nil {
		s.t.Error(err)
	}
	synctest.Wait()
	s.check()
	before := s.sup.Views()
	next := s.changedPlan()
	refused := []error{
		s.sup.Apply(s.t.Context(), next, profiles.Diff(s.plan, next), nil, "too late"),
		s.sup.Act(s.t.Context(), lifecycle.EvStart, lifecycle.CauseCommand, "too late", before[0].Key),
	}
	after(time.Hour)
	for _, err := range refused {
		if !errors.Is(err, supervisor.ErrDraining) {
			s.stage.broken(7, "in the end a plan and a start are answered with %v", err)
		}
	}
	for i, v := range s.sup.Views() {
		if v != before[i] || !v.AtRest() {
			s.stage.broken(7, "what was refused changes %s, which is %s", v.Key, v.Machine.Status)
		}
	}
}

func (s *simulation) commandAll(kind lifecycle.EventKind) {
	var keys []supervisor.Key
	for _, v := range s.sup.Views() {
		keys = append(keys, v.Key)
	}
	if err := s.sup.Act(s.t.Context(), kind, lifecycle.CauseCommand, "finale", keys...); err != nil {
		s.t.Fatal(err)
	}
}
