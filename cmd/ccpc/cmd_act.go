package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
)

// actGrace is how long ccpc waits for the peer beyond the --timeout that the
// peer itself keeps.
const actGrace = 5 * time.Second

func (p *program) actCommands() []*cli.Command {
	verb := func(name, typ, usage, text string, extra ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: "NAME…", Action: func(c *cli.Context) error { return p.act(c, typ) },
			Description: describe(text+" Waits for the outcome and prints it for each instance; exits 1 when one failed, 4 when one was not done in time. "+
				"With --target on one of its peers; with --all or --batch on all of them.",
				"ccpc "+name+" ticker", "ccpc "+name+" --all --timeout 1m", "ccpc "+name+" --group workers -o json --watch",
				"ccpc --controller https://controller-1:8062 --target billing "+name+" ticker --batch 1"),
			Flags: append(append(append(selectionFlags(), waitFlags()...), batchFlag()), extra...),
		}
	}
	return []*cli.Command{
		verb("start", control.OpStart, "start instances", "Starts instances in the order of their dependencies."),
		verb("stop", control.OpStop, "stop instances in order", "Asks each component to stop, then signals it, then ends it by force, within its componentStopWaitTime."),
		verb("restart", control.OpRestart, "stop and start instances", "Stops and starts instances.",
			&cli.BoolFlag{Name: "rolling", Usage: "one replica after the other, each when the one before is running"}),
		verb("kill", control.OpKill, "end instances by force", "Ends the whole process tree at once; the instance stays down. With --signal it does no such thing: it hands the signal to the process itself, as for a reload by HUP.",
			&cli.StringFlag{Name: "signal", Aliases: []string{"s"}, Usage: "hand this signal to the instance's own process instead, and leave the rest to it"}),
		{
			Name: "scale", Usage: "change the number of replicas", ArgsUsage: "NAME N", Action: p.scale,
			Description: describe("Starts or stops replicas at run time, until the next reload.", "ccpc scale ticker 3"),
			Flags:       append([]cli.Flag{appFlag()}, waitFlags()[1:]...),
		},
	}
}

func waitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "no-wait", Usage: "return as soon as the peer has accepted"},
		&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "with -o json: one line for each step"},
	}
}

func (p *program) act(c *cli.Context, typ string) error {
	sel, err := selection(c, true)
	if err != nil {
		return err
	}
	req := control.ActRequest{Selection: sel, NoWait: c.Bool("no-wait"), TimeoutMs: c.Duration("timeout").Milliseconds(), Rolling: c.Bool("rolling"), Signal: c.String("signal")}
	return p.carryOut(c, func(lines bool) ([]control.Outcome, error) {
		if everyPeer(c) {
			return p.rollOut(c, typ, req, lines)
		}
		return p.actOnOne(c, typ, req, lines)
	})
}

func (p *program) scale(c *cli.Context) error {
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Args().Get(1))
	if err != nil || n < 0 {
		return usagef("the number of replicas must be 0 or more, not %q", c.Args().Get(1))
	}
	req := control.ScaleRequest{NameRequest: control.NameRequest{Name: c.Args().First(), Application: c.String("app")}, Replicas: n}
	return p.carryOut(c, func(lines bool) ([]control.Outcome, error) { return p.actOnOne(c, control.OpScale, req, lines) })
}

// carryOut runs an acting operation, which tells its steps, and prints the
// outcomes.
func (p *program) carryOut(c *cli.Context, do func(lines bool) ([]control.Outcome, error)) error {
	lines := c.Bool("watch") && p.out.format == formatJSON
	outcomes, err := do(lines)
	if err != nil && len(outcomes) == 0 {
		return err
	}
	if err := errors.Join(err, p.printOutcomes(outcomes, lines)); err != nil {
		return err
	}
	return verdict(outcomes)
}

// actOnOne carries an operation out on the peer that the flags name.
func (p *program) actOnOne(c *cli.Context, typ string, req any, lines bool) ([]control.Outcome, error) {
	ctx, cancel := limited(c, actGrace)
	defer cancel()
	cl, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	result, err := cl.Stream(ctx, typ, req, func(item json.RawMessage) error { return p.tellStep(item, "", lines) })
	if err != nil {
		return nil, err
	}
	var outcomes []control.Outcome
	if err := json.Unmarshal(result, &outcomes); err != nil {
		return nil, fmt.Errorf("cannot read the outcome of %s: %w", typ, err)
	}
	return outcomes, nil
}

// tellStep shows one step of an operation; where says of which peer.
func (p *program) tellStep(item json.RawMessage, where string, lines bool) error {
	var s control.Step
	if err := json.Unmarshal(item, &s); err != nil {
		return err
	}
	s.Name += where
	if lines {
		return p.out.json(s, "")
	}
	p.out.progress("%s", stepText(s))
	return nil
}

func stepText(s control.Step) string {
	text := s.Name + ": " + s.Status
	if s.State != "" {
		text += " " + s.State
	}
	if s.Detail != "" {
		text += " (" + s.Detail + ")"
	}
	return escape(text, false)
}

func (p *program) printOutcomes(outcomes []control.Outcome, lines bool) error {
	switch {
	case p.out.quiet && verdict(outcomes) == nil:
		return nil
	case lines:
		return p.out.json(outcomes, "")
	}
	return p.out.value(outcomes, func() error {
		rows := make([][]string, len(outcomes))
		for n, o := range outcomes {
			rows[n] = []string{o.Name, p.out.status(o.Outcome), p.out.status(o.Status), escape(o.Detail, false)}
		}
		return p.out.rows([]string{"NAME", "OUTCOME", "STATUS", "DETAIL"}, rows)
	})
}

// verdict is the error of outcomes that are not all good: a timeout when
// nothing worse happened, else a failure.
func verdict(outcomes []control.Outcome) error {
	var failed, late []string
	for _, o := range outcomes {
		switch o.Outcome {
		case "failed":
			failed = append(failed, o.Name)
		case "timeout":
			late = append(late, o.Name)
		}
	}
	bad := slices.Concat(failed, late)
	switch {
	case len(failed) > 0:
		return control.Errorf(control.CodeFailed, "not done for %s: `ccpc history NAME` and `ccpc logs NAME` tell more", strings.Join(bad, ", "))
	case len(late) > 0:
		return control.Errorf(control.CodeTimeout, "not done in time for %s: it goes on; `ccpc ps` shows how far it is", strings.Join(bad, ", "))
	default:
		return nil
	}
}
