package supervisor

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// need is one edge to one instance; a dependency on a component with replicas
// is one edge to each.
type need struct {
	on        *node
	condition string
	soft      bool
}

type follower struct {
	node      *node
	condition string
	soft      bool
}

// link rebuilds the graph from the specs. The nodes are looked at in the order
// of the start everywhere, so that the same plan gives the same reasons.
func (s *Supervisor) link() {
	places := make(map[Key]int, len(s.order))
	for i, k := range s.order {
		places[k] = i
	}
	s.list = s.list[:0]
	byComponent := map[string][]*node{}
	for k, n := range s.nodes {
		n.place = -1
		if i, ok := places[k]; ok {
			n.place = i
		}
		n.needs, n.after, n.before = nil, nil, nil
		s.list = append(s.list, n)
	}
	slices.SortFunc(s.list, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.place, b.place), compareKeys(a.key, b.key))
	})
	for _, n := range s.list {
		id := n.spec.Application.GUID + "/" + n.spec.Component
		byComponent[id] = append(byComponent[id], n)
	}
	for _, n := range s.list {
		n.linkNeeds(byComponent)
	}
	bound := orderBound(s.list)
	for _, n := range s.list {
		n.before = s.launchesBefore(n, bound)
	}
	s.linkGroups()
}

func (n *node) linkNeeds(byComponent map[string][]*node) {
	for _, d := range n.spec.DependsOn {
		on := d.On
		if !strings.Contains(on, "/") {
			on = n.key.Application + "/" + on
		}
		for _, target := range byComponent[on] {
			n.needs = append(n.needs, need{target, d.Condition, d.Soft})
			target.after = append(target.after, follower{n, d.Condition, d.Soft})
		}
	}
}

// followers lists who must be down before n may be stopped: its dependents,
// and what the group starts after it.
func (n *node) followers() []follower {
	if n.group == nil {
		return n.after
	}
	out := slices.Clip(n.after)
	for _, m := range n.group.later(n) {
		out = append(out, follower{node: m, soft: true})
	}
	return out
}

// launchesBefore lists who of n's application has a lower launchOrder. Orders
// up to 0 come first and wait for nobody, save those that depend on one with an
// order: they come when their dependencies allow it.
func (s *Supervisor) launchesBefore(n *node, bound map[*node]bool) []*node {
	order := n.spec.LaunchOrder
	if order <= 0 {
		return nil
	}
	var before []*node
	for _, o := range s.list {
		if o.key.Application == n.key.Application && max(o.spec.LaunchOrder, 0) < order && (o.spec.LaunchOrder > 0 || !bound[o]) {
			before = append(before, o)
		}
	}
	return before
}

// orderBound are the instances that depend, directly or through others, on one
// with a launchOrder above 0.
func orderBound(all []*node) map[*node]bool {
	bound := map[*node]bool{}
	var visit func(*node)
	visit = func(n *node) {
		for _, f := range n.after {
			if !bound[f.node] {
				bound[f.node] = true
				visit(f.node)
			}
		}
	}
	for _, n := range all {
		if n.spec.LaunchOrder > 0 {
			visit(n)
		}
	}
	return bound
}

// withNeeds adds to keys what they hard depend on and is down, dependencies
// first.
func (s *Supervisor) withNeeds(keys []Key) []*node {
	var out []*node
	seen := map[*node]bool{}
	var visit func(n *node, named bool)
	visit = func(n *node, named bool) {
		if seen[n] || n.actor == nil {
			return
		}
		seen[n] = true
		for _, need := range n.needs {
			if !need.soft && need.unmet(false) != "" {
				visit(need.on, false)
			}
		}
		if named || n.view().AtRest() {
			out = append(out, n)
		}
	}
	for _, k := range keys {
		if n := s.nodes[k]; n != nil {
			visit(n, true)
		}
	}
	slices.SortStableFunc(out, func(a, b *node) int { return cmp.Compare(a.place, b.place) })
	return out
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Application, b.Application), naturalCompare(a.Name, b.Name))
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
