package supervisor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// node is an instance's place in the dependency graph.
type node struct {
	needs []need     // what it depends on
	after []follower // who depends on it
	place int        // in the start order
	// before are those that its launchOrder waits for.
	before []Key
}

// need is one edge to one instance; a dependency on a component with replicas
// is one edge to each.
type need struct {
	key       Key
	condition string
	soft      bool
}

type follower struct {
	key       Key
	condition string
	soft      bool
}

// link rebuilds the graph from the specs.
func (s *Supervisor) link() {
	byComponent := map[string][]Key{}
	keys := slices.SortedFunc(maps.Keys(s.specs), compareKeys)
	for _, k := range keys {
		spec := s.specs[k]
		id := spec.Application.GUID + "/" + spec.Component
		byComponent[id] = append(byComponent[id], k)
	}
	s.nodes = make(map[Key]*node, len(s.specs))
	for k := range s.specs {
		s.nodes[k] = &node{place: slices.Index(s.order, k)}
	}
	for _, k := range keys {
		for _, d := range s.specs[k].DependsOn {
			on := d.On
			if !strings.Contains(on, "/") {
				on = k.Application + "/" + on
			}
			for _, target := range byComponent[on] {
				s.nodes[k].needs = append(s.nodes[k].needs, need{target, d.Condition, d.Soft})
				s.nodes[target].after = append(s.nodes[target].after, follower{k, d.Condition, d.Soft})
			}
		}
	}
	bound := s.orderBound()
	for k, n := range s.nodes {
		n.before = s.launchesBefore(k, bound)
	}
}

// followers lists who must be down before k may be stopped: its dependents,
// and what the group starts after it.
func (s *Supervisor) followers(k Key) []follower {
	n := s.nodes[k]
	if n == nil {
		return nil
	}
	out := n.after
	if g := s.groupOf(k); g != nil {
		for _, m := range g.later(k) {
			out = append(slices.Clip(out), follower{key: m, soft: true})
		}
	}
	return out
}

// gate says what the instance would have to wait for now; "" is nothing.
func (s *Supervisor) gate(v *View) string {
	n := s.nodes[v.Key]
	if n == nil {
		return ""
	}
	for _, need := range n.needs {
		if why := s.unmet(need, true); why != "" {
			return why
		}
	}
	if why := s.leftBehind(v); why != "" {
		return why
	}
	if g := s.groupOf(v.Key); g != nil {
		if why := s.groupGate(g, v); why != "" {
			return why
		}
	}
	return s.launchGate(v.Key)
}

// leftBehind names a dependent that lives: should v end, the dependent goes
// down before v comes up again. The gate is closed while v still lives, so that
// no backoff is too short for it.
func (s *Supervisor) leftBehind(v *View) string {
	for _, f := range s.nodes[v.Key].after {
		a := s.actor(f.key)
		if a == nil || f.soft || f.condition == "completed" {
			continue
		}
		if d := a.view.Load(); !d.AtRest() && !stuck(d) {
			return fmt.Sprintf("%s depends on it and is still %s", f.key.Name, d.Machine.Status)
		}
	}
	return ""
}

// unmet says why a need does not hold; with starting, a soft one counts only
// while its target is still on the way up.
func (s *Supervisor) unmet(n need, starting bool) string {
	a := s.actor(n.key)
	if a == nil {
		if n.soft {
			return ""
		}
		return fmt.Sprintf("dependency %s is not in the plan", n.key.Name)
	}
	v := a.view.Load()
	if p, ok := s.pending[n.key]; ok && starting && !n.soft {
		return fmt.Sprintf("dependency %s is about to %s", n.key.Name, verb(p.event.Kind))
	}
	if satisfied(v, n.condition) {
		return ""
	}
	if n.soft && !s.comingUp(v) {
		return ""
	}
	return fmt.Sprintf("waiting for %s to be %s (it is %s%s)", n.key.Name, n.condition, v.Machine.Status, reasonOf(v))
}

// reasonOf does not go on to what a waiting one waits for: reasons would grow
// with every step of a chain.
func reasonOf(v *View) string {
	if v.Machine.Reason == "" || v.Machine.Status == lifecycle.Waiting {
		return ""
	}
	return ": " + v.Machine.Reason
}

func verb(k lifecycle.EventKind) string {
	if k == lifecycle.EvRestart {
		return "restart"
	}
	return "stop"
}

func satisfied(v *View, condition string) bool {
	switch condition {
	case "completed":
		return v.Machine.Status == lifecycle.Completed
	case "healthy":
		return v.Machine.Status == lifecycle.Running && (v.Spec.Health == nil || v.Health == HealthGood)
	default:
		return v.Started()
	}
}

// comingUp reports whether an instance that is not started is on its way.
func (s *Supervisor) comingUp(v *View) bool {
	if _, wanted := s.wanted[v.Key]; wanted {
		return true
	}
	if v.Machine.Desired != lifecycle.Up {
		return false
	}
	return v.Machine.Status != lifecycle.Failed && v.Machine.Status != lifecycle.Completed
}

// lostDependency names the hard dependency that a living instance has lost.
func (s *Supervisor) lostDependency(v *View) string {
	n := s.nodes[v.Key]
	if n == nil || (v.Machine.Status != lifecycle.Starting && v.Machine.Status != lifecycle.Running) {
		return ""
	}
	for _, need := range n.needs {
		if need.soft || need.condition == "completed" {
			continue
		}
		a := s.actor(need.key)
		if a == nil || !a.view.Load().Started() {
			return "dependency " + need.key.Name + " is down"
		}
	}
	return ""
}

// launchGate holds an instance back while one of its application with a lower
// launchOrder is on its way up.
func (s *Supervisor) launchGate(k Key) string {
	for _, other := range s.nodes[k].before {
		a := s.actor(other)
		if a == nil {
			continue
		}
		v := a.view.Load()
		_, wanted := s.wanted[other]
		if !v.Started() && (wanted || v.Machine.Desired == lifecycle.Up) {
			return fmt.Sprintf("launch order %d waits for %s (it is %s%s)", s.specs[k].LaunchOrder, other.Name, v.Machine.Status, reasonOf(v))
		}
	}
	return ""
}

// launchesBefore lists who of k's application has a lower launchOrder. Orders
// up to 0 come first and wait for nobody, save those that depend on one with an
// order: they come when their dependencies allow it.
func (s *Supervisor) launchesBefore(k Key, bound map[Key]bool) []Key {
	order := s.specs[k].LaunchOrder
	if order <= 0 {
		return nil
	}
	var before []Key
	for _, other := range slices.SortedFunc(maps.Keys(s.specs), compareKeys) {
		o := s.specs[other]
		if other.Application == k.Application && max(o.LaunchOrder, 0) < order && (o.LaunchOrder > 0 || !bound[other]) {
			before = append(before, other)
		}
	}
	return before
}

// orderBound are the instances that depend, directly or through others, on one
// with a launchOrder above 0.
func (s *Supervisor) orderBound() map[Key]bool {
	bound := map[Key]bool{}
	var visit func(Key)
	visit = func(k Key) {
		for _, f := range s.nodes[k].after {
			if !bound[f.key] {
				bound[f.key] = true
				visit(f.key)
			}
		}
	}
	for k, spec := range s.specs {
		if spec.LaunchOrder > 0 {
			visit(k)
		}
	}
	return bound
}

// withNeeds adds to keys what they hard depend on and is down, dependencies
// first.
func (s *Supervisor) withNeeds(keys []Key) []Key {
	var out []Key
	seen := map[Key]bool{}
	var visit func(k Key, named bool)
	visit = func(k Key, named bool) {
		if seen[k] {
			return
		}
		seen[k] = true
		if n := s.nodes[k]; n != nil {
			for _, need := range n.needs {
				if !need.soft && s.unmet(need, false) != "" {
					visit(need.key, false)
				}
			}
		}
		if a := s.actor(k); a != nil && (named || a.view.Load().AtRest()) {
			out = append(out, k)
		}
	}
	for _, k := range keys {
		visit(k, true)
	}
	slices.SortStableFunc(out, func(a, b Key) int { return cmp.Compare(s.placeOf(a), s.placeOf(b)) })
	return out
}

func (s *Supervisor) placeOf(k Key) int {
	if n := s.nodes[k]; n != nil {
		return n.place
	}
	return -1
}

// naturalCompare orders replica names by number: web#2 before web#10.
func naturalCompare(a, b string) int {
	an, ai, _ := strings.Cut(a, "#")
	bn, bi, _ := strings.Cut(b, "#")
	if c := cmp.Compare(an, bn); c != 0 {
		return c
	}
	x, _ := strconv.Atoi(ai)
	y, _ := strconv.Atoi(bi)
	return cmp.Compare(x, y)
}
