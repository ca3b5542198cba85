package peer

import (
	"context"
	"strings"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/supervisor"
)

// graph draws the dependencies of the plan as they stand.
func (p *Peer) graph(context.Context, unused, progress) (control.Graph, error) {
	views := p.sup.Views()
	g := control.Graph{Nodes: []control.GraphNode{}, Edges: []control.GraphEdge{}, CriticalPath: []string{}}
	for _, v := range views {
		g.Nodes = append(g.Nodes, control.GraphNode{
			Name: v.Key.String(), Status: v.Machine.Status.String(),
			LaunchOrder: v.Spec.LaunchOrder, StartMs: startMs(v),
		})
		g.Edges = append(g.Edges, edges(v, views)...)
	}
	g.CriticalPath = criticalPath(g)
	return g, nil
}

// startMs is how long the present generation took from spawn to running.
func startMs(v *supervisor.View) int64 {
	if !v.Started() || v.Machine.StartedAt.IsZero() {
		return 0
	}
	return max(1, v.Machine.Since.Sub(v.Machine.StartedAt).Milliseconds())
}

func edges(v *supervisor.View, views []*supervisor.View) []control.GraphEdge {
	var out []control.GraphEdge
	for _, d := range v.Spec.DependsOn {
		on := d.On
		if !strings.Contains(on, "/") {
			on = v.Application + "/" + on
		}
		for _, t := range views {
			if t.Application+"/"+t.Spec.Component == on {
				out = append(out, control.GraphEdge{From: v.Key.String(), To: t.Key.String(), Condition: d.Condition, Soft: d.Soft})
			}
		}
	}
	return out
}

// criticalPath is the chain of dependencies whose start times add up to most.
func criticalPath(g control.Graph) []string {
	cost := map[string]int64{}
	needs := map[string][]string{}
	for _, n := range g.Nodes {
		cost[n.Name] = n.StartMs
	}
	for _, e := range g.Edges {
		needs[e.From] = append(needs[e.From], e.To)
	}
	type chain struct {
		ms   int64
		path []string
	}
	known := map[string]chain{}
	var longest func(name string) chain
	longest = func(name string) chain {
		if c, ok := known[name]; ok {
			return c
		}
		var best chain
		for _, need := range needs[name] {
			if c := longest(need); c.ms > best.ms {
				best = c
			}
		}
		c := chain{best.ms + cost[name], append(append([]string{}, best.path...), name)}
		known[name] = c
		return c
	}
	best := chain{path: []string{}}
	for _, n := range g.Nodes {
		if c := longest(n.Name); c.ms > best.ms {
			best = c
		}
	}
	return best.path
}
