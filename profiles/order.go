package profiles

import (
	"container/heap"
	"fmt"
	"sort"
	"strings"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// node is a component in the graph of the start order, or, with no component,
// the barrier behind one launchOrder level: everything of that level comes
// before it, everything of the next level after it.
type node struct {
	c       *component
	level   int // of a barrier
	rank    int // launchOrder, 0 for everything independent
	index   int // order of the files
	before  []*node
	after   []*node
	waiting int
}

func (n *node) String() string {
	if n.c == nil {
		return fmt.Sprintf("(launchOrder %d)", n.level)
	}
	return n.c.name
}

// order gives the components in start order: after what they depend on, then
// by launchOrder, then as the files have them. A cycle is a fault that names
// its members; the order is then that of the files.
func (l *loader) order(all []*component) []*component {
	nodes := make(map[string]*node, len(all))
	for i, c := range all {
		nodes[c.key] = &node{c: c, index: i, rank: max(c.cfg.LaunchOrder, 0)}
	}
	graph := make([]*node, 0, len(all))
	for _, c := range all {
		n := nodes[c.key]
		graph = append(graph, n)
		for _, edge := range c.cfg.DependsOn.edges {
			if target := c.target(edge, nodes); target != nil {
				link(target, n)
			}
		}
	}
	graph = append(graph, barriers(graph)...)
	sorted := topological(graph)
	if len(sorted) < len(graph) {
		reportCycle(graph)
		return all
	}
	var out []*component
	for _, n := range sorted {
		if n.c != nil {
			out = append(out, n.c)
		}
	}
	return out
}

func link(first, then *node) {
	first.after = append(first.after, then)
	then.before = append(then.before, first)
	then.waiting++
}

// target finds what an edge names, in the same application or as
// application/component.
func (c *component) target(edge dependsOn, nodes map[string]*node) *node {
	key := edge.name
	if !strings.Contains(key, "/") {
		key = c.doc.app.GUID + "/" + key
	}
	n, ok := nodes[key]
	if !ok {
		c.doc.complain(edge.path, "there is no component %q%s", clip(edge.name), didYouMean(edge.name, c.siblings(nodes)))
		return nil
	}
	if n.c == c {
		c.doc.complain(edge.path, "a component cannot depend on itself")
		return nil
	}
	return n
}

// siblings are the names a dependency may use.
func (c *component) siblings(nodes map[string]*node) []string {
	var names []string
	for key := range nodes {
		if name, same := strings.CutPrefix(key, c.doc.app.GUID+"/"); same {
			key = name
		}
		if key != c.name {
			names = append(names, key)
		}
	}
	sort.Strings(names)
	return names
}

// barriers order the launchOrder levels above 0 of each application.
func barriers(graph []*node) []*node {
	levels := map[string]map[int][]*node{}
	for _, n := range graph {
		if n.rank > 0 {
			app := n.c.doc.app.GUID
			if levels[app] == nil {
				levels[app] = map[int][]*node{}
			}
			levels[app][n.rank] = append(levels[app][n.rank], n)
		}
	}
	var out []*node
	for _, app := range sortedKeys(levels) {
		var previous *node
		for _, level := range sortedInts(levels[app]) {
			barrier := &node{level: level, rank: level, index: len(graph) + len(out)}
			for _, n := range levels[app][level] {
				if previous != nil {
					link(previous, n)
				}
				link(n, barrier)
			}
			previous = barrier
			out = append(out, barrier)
		}
	}
	return out
}

// topological gives the nodes of which all predecessors are given, the lowest
// rank and index first; those on a cycle and behind it are missing.
func topological(graph []*node) []*node {
	var ready readyHeap
	for _, n := range graph {
		if n.waiting == 0 {
			ready = append(ready, n)
		}
	}
	heap.Init(&ready)
	var out []*node
	for ready.Len() > 0 {
		n := heap.Pop(&ready).(*node)
		out = append(out, n)
		for _, next := range n.after {
			if next.waiting--; next.waiting == 0 {
				heap.Push(&ready, next)
			}
		}
	}
	return out
}

// reportCycle finds one cycle among the nodes that are left and names it.
func reportCycle(graph []*node) {
	var at *node
	for _, n := range graph {
		if n.waiting > 0 {
			at = n
			break
		}
	}
	position := map[*node]int{}
	var walk []*node
	for {
		if start, seen := position[at]; seen {
			walk = append(walk[start:], at)
			break
		}
		position[at] = len(walk)
		walk = append(walk, at)
		for _, n := range at.before {
			if n.waiting > 0 {
				at = n
				break
			}
		}
	}
	names := make([]string, len(walk))
	for i, n := range walk {
		names[i] = n.String()
	}
	for _, n := range walk {
		if n.c != nil {
			path := n.c.field("dependsOn")
			n.c.doc.failAt(n.c.doc.at(path), path, "the dependencies form a cycle: %s", strings.Join(names, " → "))
			return
		}
	}
}

type readyHeap []*node

func (h readyHeap) Len() int { return len(h) }
func (h readyHeap) Less(i, j int) bool {
	if h[i].rank != h[j].rank {
		return h[i].rank < h[j].rank
	}
	return h[i].index < h[j].index
}
func (h readyHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *readyHeap) Push(x any)   { *h = append(*h, x.(*node)) }
func (h *readyHeap) Pop() any {
	old := *h
	n := old[len(old)-1]
	*h = old[:len(old)-1]
	return n
}

// conditions sees that each dependency can ever be fulfilled.
func (l *loader) conditions(all []*component, p *Plan) {
	specs := map[string]*Spec{}
	for _, s := range p.Specs {
		specs[s.Application.GUID+"/"+s.Component] = s
	}
	for _, c := range all {
		for _, edge := range c.cfg.DependsOn.edges {
			key := edge.name
			if !strings.Contains(key, "/") {
				key = c.doc.app.GUID + "/" + key
			}
			if target := specs[key]; target != nil {
				l.condition(c, edge, target)
			}
		}
	}
}

func (l *loader) condition(c *component, edge dependsOn, target *Spec) {
	field := strings.TrimPrefix(edge.path, c.path+".")
	switch {
	case edge.Condition == "healthy" && target.Health == nil:
		c.complain(field, "%s has no health check and would never be healthy; give it health, or wait for started", edge.name)
	case edge.Condition == "completed" && !target.OneShot && target.Restart.Mode == lifecycle.Always:
		c.complain(field, "%s restarts always and would never be completed; give it oneShot: true", edge.name)
	case !edge.Soft && !target.Enabled && c.cfg.Enabled:
		l.warn(c, field, "%s is not enabled; %s waits until it is started by hand", edge.name, c.name)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func sortedInts[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Ints(keys)
	return keys
}
