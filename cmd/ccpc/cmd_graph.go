package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
)

func (p *program) graph(c *cli.Context) error {
	if err := wantArgs(c, 0, 1); err != nil {
		return err
	}
	draw, ok := map[string]func(control.Graph) string{"": textGraph, "text": textGraph, "dot": dotGraph, "mermaid": mermaidGraph}[c.Args().First()]
	if !ok {
		return usagef("unknown graph format %q: use text, dot or mermaid", c.Args().First())
	}
	var g control.Graph
	if err := call(c, control.OpGraph, nil, &g); err != nil {
		return err
	}
	return p.out.value(g, func() error { return p.out.printf("%s", draw(g)) })
}

// textGraph lists each node with what it waits for, then the critical path.
func textGraph(g control.Graph) string {
	var b strings.Builder
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "%s [%s]\n", n.Name, n.Status)
		for _, e := range g.Edges {
			if e.From == n.Name {
				fmt.Fprintf(&b, "  waits for %s (%s)\n", e.To, edgeLabel(e))
			}
		}
	}
	if len(g.CriticalPath) > 0 {
		total := int64(0)
		for _, n := range g.Nodes {
			if slices.Contains(g.CriticalPath, n.Name) {
				total += n.StartMs
			}
		}
		fmt.Fprintf(&b, "critical path: %s (%d ms)\n", strings.Join(g.CriticalPath, " → "), total)
	}
	return b.String()
}

func dotGraph(g control.Graph) string {
	var b strings.Builder
	b.WriteString("digraph peer {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, n := range g.Nodes {
		style := ""
		if slices.Contains(g.CriticalPath, n.Name) {
			style = ", penwidth=2"
		}
		fmt.Fprintf(&b, "  %q [label=%q%s];\n", n.Name, n.Name+"\n"+n.Status, style)
	}
	for _, e := range g.Edges {
		style := ""
		if e.Soft {
			style = ", style=dashed"
		}
		fmt.Fprintf(&b, "  %q -> %q [label=%q%s];\n", e.From, e.To, e.Condition, style)
	}
	b.WriteString("}\n")
	return b.String()
}

func mermaidGraph(g control.Graph) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for i, n := range g.Nodes {
		ids[n.Name] = fmt.Sprintf("n%d", i)
		fmt.Fprintf(&b, "  n%d[%q]\n", i, n.Name+" "+n.Status)
	}
	for _, e := range g.Edges {
		arrow := "-->"
		if e.Soft {
			arrow = "-.->"
		}
		fmt.Fprintf(&b, "  %s %s|%s| %s\n", ids[e.From], arrow, e.Condition, ids[e.To])
	}
	return b.String()
}

func edgeLabel(e control.GraphEdge) string {
	if e.Soft {
		return e.Condition + ", soft"
	}
	return e.Condition
}
