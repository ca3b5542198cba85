package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
)

func (p *program) peerCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "reload", Usage: "load the profile again and apply what changed", ArgsUsage: " ", Action: p.reload,
			Description: describe("Only what changed is restarted. A profile with faults changes nothing and exits 7.", "ccpc reload --dry-run", "ccpc reload"),
			Flags:       []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "print what would change"}},
		},
		{
			Name: "status", Usage: "show the peer's own health", ArgsUsage: " ", Action: p.peerStatus,
			Description: describe("Shows versions, the plan in force, why the peer is degraded, and its connection to a controller.", "ccpc status", "ccpc status -o json"),
		},
		p.upgradeCommand(),
		{
			Name: "graph", Usage: "print the dependency graph", ArgsUsage: "[text|dot|mermaid]", Action: p.graph,
			Description: describe("Shows who waits for whom, and the critical path of the start.", "ccpc graph", "ccpc graph dot | dot -Tsvg > graph.svg"),
		},
		{
			Name: "top", Usage: "watch instances on a live screen", ArgsUsage: "[NAME…]", Action: p.top,
			Description: describe("Refreshes until q or Ctrl-C. Where the output is no terminal, the table is printed again and again.", "ccpc top", "ccpc top --interval 5s"),
			Flags:       append(selectionFlags(), &cli.DurationFlag{Name: "interval", Usage: "`DURATION` between refreshes", Value: 2 * time.Second}),
		},
	}
}

func (p *program) reload(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	var r control.ReloadReply
	if err := call(c, control.OpReload, control.ReloadRequest{DryRun: c.Bool("dry-run")}, &r); err != nil {
		return err
	}
	for _, w := range r.Warnings {
		p.out.note("warning: %s", escape(w, false))
	}
	return p.out.value(r, func() error {
		if len(r.Changes) == 0 {
			return p.out.printf("nothing changed\n")
		}
		rows := make([][]string, len(r.Changes))
		for n, ch := range r.Changes {
			rows[n] = []string{ch.Change, ch.Application + "/" + ch.Name, dash(strings.Join(ch.Fields, " "))}
		}
		return p.out.rows([]string{"CHANGE", "NAME", "FIELDS"}, rows)
	})
}

func (p *program) peerStatus(c *cli.Context) error {
	if err := wantArgs(c, 0, 0); err != nil {
		return err
	}
	var s control.PeerStatus
	if err := call(c, control.OpStatus, nil, &s); err != nil {
		return err
	}
	return p.out.value(s, func() error { return p.statusFacts(s) })
}

func (p *program) statusFacts(s control.PeerStatus) error {
	health := p.out.status("healthy")
	if len(s.Degraded) > 0 {
		health = p.out.paint("31", "degraded")
	}
	facts := [][]string{
		{"Peer", s.Peer},
		{"Health", health},
		{"Version", s.Version},
		{"Pid", strconv.Itoa(s.Pid)},
		{"Keeper pid", strconv.Itoa(s.KeeperPid)},
		{"Keeper version", dash(s.KeeperVersion)},
		{"Uptime", uptime(time.Duration(s.UptimeMs) * time.Millisecond)},
		{"Profile", s.Profile},
		{"Plan", fmt.Sprintf("%s applied at %s", s.Plan.Hash, s.Plan.AppliedAt.Format(time.RFC3339))},
		{"Instances", countsText(s.Counts)},
		{"Containment", dash(s.Containment)},
	}
	facts = append(facts, fleetFacts(s)...)
	if u := s.Upgrade; u != nil {
		text := fmt.Sprintf("%s from %s to %s at %s by %s", u.Outcome, u.From, u.To, u.At.Format(time.RFC3339), u.By)
		if u.Detail != "" {
			text += ": " + u.Detail
		}
		facts = append(facts, []string{"Upgrade", escape(text, false)})
	}
	for _, d := range s.Degraded {
		facts = append(facts, []string{"Degraded", escape(d, false)})
	}
	for _, w := range s.Warnings {
		facts = append(facts, []string{"Warning", escape(w, false)})
	}
	return p.out.rows(nil, facts)
}

// fleetFacts are what the peer is in a fleet; none without one.
func fleetFacts(s control.PeerStatus) (facts [][]string) {
	if c := s.Connector; c != nil {
		text := fmt.Sprintf("%s to %s since %s, target %s, role %s", c.State, c.Endpoint, c.Since.Format(time.RFC3339), c.Target, c.Role)
		facts = append(facts, []string{"Connector", escape(text, false)}, []string{"Primary", fmt.Sprintf("%s, term %d", yesNo(c.Primary), c.Term)})
	}
	if c := s.Controller; c != nil {
		text := fmt.Sprintf("%s on %s, %d targets, %d channels", c.Identifier, dash(c.Listen), c.Targets, c.Channels)
		facts = append(facts, []string{"Controller", escape(text, false)})
	}
	return facts
}

func countsText(counts map[string]int) string {
	var words []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %s", counts[status], status))
	}
	return dash(strings.Join(words, ", "))
}
