package supervisor_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
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
	switch s.rand.IntN(12) {
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
		s.stage.outage(time.Duration(s.rand.IntN(30)) * time.Second)
	case 11:
		s.stage.strike(s.rand.IntN(10))
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

// reload applies a plan.
func (s *simulation) reload(next *profiles.Plan) {
	changes := profiles.Diff(s.plan, next)
	s.plan = next
	clear(s.wish)
	s.stage.plan(next)
	if err := s.sup.Apply(s.t.Context(), next, changes, s.stage.known(), "reload"); err != nil {
		s.t.Fatal(err)
	}
}

// check holds the views against the model at a moment when nothing moves.
func (s *simulation) check() {
	for _, v := range s.sup.Views() {
		m := v.Machine
		if living := s.stage.living(v.Key); living != nil && living.generation != m.Generation {
			s.t.Errorf("%s: generation %d lives, the view says %d", v.Key, living.generation, m.Generation)
		} else if living == nil && !v.AtRest() {
			s.t.Errorf("%s is %s, and nothing of it lives", v.Key, m.Status)
		} else if living != nil && v.AtRest() {
			s.t.Errorf("%s is %s, and it lives", v.Key, m.Status)
		}
		// A stop may still wait for dependents to go first; they are alive then.
		if s.wish[v.Key] == down && v.AtRest() && m.Desired != lifecycle.Down {
			s.t.Errorf("%s was stopped and is wanted %s (%s)", v.Key, m.Desired, m.Status)
		}
		if m.Status == lifecycle.Waiting && m.Reason == "" || m.Status == lifecycle.Failed && m.Reason == "" {
			s.t.Errorf("%s is %s for no reason", v.Key, m.Status)
		}
	}
	s.stage.check()
}

// finale: everything is stopped, in time, and stays down; then everything is
// started, and whoever can run does.
func (s *simulation) finale() {
	s.stage.calm()
	s.commandAll(lifecycle.EvStop)
	after(time.Hour)
	for _, v := range s.sup.Views() {
		if !v.AtRest() || v.Machine.Desired != lifecycle.Down {
			s.t.Errorf("at the end %s is %s, wanted %s (%s)", v.Key, v.Machine.Status, v.Machine.Desired, v.Machine.Reason)
		}
	}
	s.commandAll(lifecycle.EvStart)
	after(time.Hour)
	for _, v := range s.sup.Views() {
		if !v.Started() && v.Spec.Enabled {
			s.t.Errorf("started at the end, %s is %s (%s)", v.Key, v.Machine.Status, v.Machine.Reason)
		}
	}
	s.commandAll(lifecycle.EvKill)
	after(time.Hour)
	s.check()
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

// firstPlan draws instances with dependencies on earlier ones, groups, orders
// and policies.
func (s *simulation) firstPlan() *profiles.Plan {
	plan := &profiles.Plan{Groups: map[string]profiles.Group{
		"app/one":  {Strategy: "oneForOne", Intensity: 20, Period: time.Minute},
		"app/all":  {Strategy: "oneForAll", Intensity: 5, Period: time.Minute},
		"app/rest": {Strategy: "restForOne", Intensity: 5, Period: time.Minute},
	}}
	for n := range simulated {
		plan.Specs = append(plan.Specs, s.draw(n))
	}
	plan.Specs = ordered(plan.Specs)
	return plan
}

// ordered sorts as a profile's plan is: dependencies first, then by launchOrder.
func ordered(specs []*profiles.Spec) []*profiles.Spec {
	rest := slices.Clone(specs)
	slices.SortStableFunc(rest, func(a, b *profiles.Spec) int { return cmp.Compare(a.LaunchOrder, b.LaunchOrder) })
	var out []*profiles.Spec
	for len(rest) > 0 {
		i := slices.IndexFunc(rest, func(s *profiles.Spec) bool {
			return !slices.ContainsFunc(s.DependsOn, func(d profiles.Dependency) bool {
				return slices.ContainsFunc(rest, func(r *profiles.Spec) bool { return r.Name == d.On })
			})
		})
		out, rest = append(out, rest[i]), slices.Delete(rest, i, i+1)
	}
	return out
}

func (s *simulation) draw(n int) *profiles.Spec {
	sp := spec(fmt.Sprintf("c%02d", n))
	sp.Address = sp.Name
	sp.StopWait = time.Duration(1+s.rand.IntN(20)) * time.Second
	sp.Restart.ResetAfter = 10 * time.Minute
	sp.Restart.Jitter = 0.2
	if s.rand.IntN(4) == 0 {
		sp.Restart.LimitCount, sp.Restart.LimitWithin = 3+s.rand.IntN(5), time.Minute
	}
	if s.rand.IntN(3) == 0 {
		sp.Health = &profiles.Health{OnFailure: "restart"}
	}
	if n%10 == 9 {
		sp.OneShot, sp.Restart.Mode = true, lifecycle.OnFailure
	}
	if s.rand.IntN(5) == 0 {
		sp.LaunchOrder = 1 + n/10
	}
	for range s.rand.IntN(3) {
		if n == 0 {
			break
		}
		on, condition := s.rand.IntN(min(n, simulated*4/5)), "started"
		if on%10 == 9 {
			condition = "completed"
		}
		sp.DependsOn = append(sp.DependsOn, profiles.Dependency{On: fmt.Sprintf("c%02d", on), Condition: condition, Soft: s.rand.IntN(4) == 0})
	}
	switch {
	case n >= 40 && n < 44:
		sp.Group = "one"
	case n >= 44 && n < 47:
		sp.Group = "all"
	case n >= 47 && n < 49:
		sp.Group = "rest"
	}
	sp.LiveHash = sp.Name
	return sp
}

// changedPlan draws a successor of the plan: some restart, some change live,
// some are switched off or on, some leave, some come back.
func (s *simulation) changedPlan() *profiles.Plan {
	next := &profiles.Plan{Groups: s.plan.Groups}
	before := map[string]*profiles.Spec{}
	for _, sp := range s.plan.Specs {
		before[sp.Name] = sp
	}
	for n := range simulated {
		old := before[fmt.Sprintf("c%02d", n)]
		if old == nil {
			old = s.draw(n)
		}
		sp := *old
		switch s.rand.IntN(60) {
		case 0, 1:
			sp.Hash = fmt.Sprint(sp.Name, s.rand.Uint64())
			sp.StopWait = time.Duration(1+s.rand.IntN(20)) * time.Second
		case 2:
			sp.LiveHash = fmt.Sprint(sp.Name, s.rand.Uint64())
			sp.StopWait = time.Duration(1+s.rand.IntN(20)) * time.Second
		case 3:
			sp.Enabled = !sp.Enabled
		case 4:
			if n >= simulated*4/5 && before[sp.Name] != nil {
				continue // nobody depends on these
			}
		}
		next.Specs = append(next.Specs, &sp)
	}
	next.Specs = ordered(next.Specs)
	return next
}
