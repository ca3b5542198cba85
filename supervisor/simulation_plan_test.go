package supervisor_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

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
	} else if s.rand.IntN(3) == 0 {
		sp.CCP = true
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

// reach names all whose processes a change of plans may move: what changes
// beyond the live, what depends on that, and the groups of both.
func reach(old, next *profiles.Plan, changes []profiles.Change) map[string]bool {
	touched, groups := map[string]bool{}, map[string]bool{}
	for _, c := range changes {
		if c.Kind != profiles.ChangeUpdate {
			touched[cmp.Or(c.New, c.Old).Name] = true
		}
	}
	specs := slices.Clone(next.Specs)
	if old != nil {
		specs = append(specs, old.Specs...)
	}
	for n := -1; n != len(touched); {
		n = len(touched)
		for _, sp := range specs {
			if touched[sp.Name] && sp.Group != "" {
				groups[sp.Group] = true
			}
			if groups[sp.Group] || slices.ContainsFunc(sp.DependsOn, func(d profiles.Dependency) bool { return !d.Soft && touched[d.On] }) {
				touched[sp.Name] = true
			}
		}
	}
	return touched
}
