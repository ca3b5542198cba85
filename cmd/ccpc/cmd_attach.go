package main

import (
	"context"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/standin"
)

func (p *program) attachCommand() *cli.Command {
	return &cli.Command{
		Name: "attach", Usage: "run a component by hand", ArgsUsage: "NAME [-- DEBUGGER…]", Action: p.attach,
		Description: describe("Runs an instance with launch: manual in this terminal, in the environment, the limits and the process tree that peerd gives it; starts it first where it is at rest. "+
			"Words after -- go before its command line: a debugger. Returns when it has ended; peerd does not start it again by itself. "+
			"Only root and the user that the component runs as can attach, on the peer's own host.",
			"ccpc attach ticker", "ccpc attach ticker -- dlv exec --"),
		Flags: []cli.Flag{appFlag()},
	}
}

func (p *program) attach(c *cli.Context) error {
	if err := wantArgs(c, 1, -1); err != nil {
		return err
	}
	req := control.NameRequest{Name: c.Args().First(), Application: c.String("app")}
	socket, err := awaitStandIn(c, req)
	if err != nil {
		return err
	}
	session := standin.Session{In: p.stdin, Out: p.stdout, Prefix: c.Args().Tail(), Term: os.Getenv("TERM")}
	if err := standin.Attach(c.Context, socket, session); err != nil {
		if c.Context.Err() != nil {
			return err
		}
		return control.Errorf(control.CodeFailed, "cannot attach %s: %v", req.Name, err)
	}
	return nil
}

// attachPause is between two looks whether an instance waits.
const attachPause = 50 * time.Millisecond

// awaitStandIn has an instance wait for a person and returns where it does.
func awaitStandIn(c *cli.Context, req control.NameRequest) (socket string, err error) {
	ctx, cancel := context.WithTimeout(c.Context, max(c.Duration("timeout"), defaultTimeout))
	defer cancel()
	cl, err := connect(ctx, c)
	if err != nil {
		return "", err
	}
	defer cl.Close()
	var d control.Detail
	var before uint64 // its generation when it was asked to start
	for asked := false; ; asked = true {
		if err := cl.Call(ctx, control.OpGet, req, &d); err != nil {
			return "", err
		}
		switch {
		case d.Spec["launch"] != "manual":
			return "", control.Errorf(control.CodeRefused, "%s has launch: %v; only one with launch: manual can be attached", d.Name, d.Spec["launch"])
		case d.Attach != "":
			return d.Attach, nil
		case d.Status == "running":
			return "", control.Errorf(control.CodeRefused, "%s runs already, as process %d", d.Name, d.Pid)
		case asked && d.Status == "failed" && d.Generation > before:
			return "", control.Errorf(control.CodeFailed, "%s cannot be started: %s", d.Name, d.Reason)
		case !asked:
			before = d.Generation
			start := control.ActRequest{Selection: control.Selection{Names: []string{d.Name}, Application: d.Application}, NoWait: true}
			if err := cl.Call(ctx, control.OpStart, start, &[]control.Outcome{}); err != nil {
				return "", err
			}
		}
		select {
		case <-time.After(attachPause):
		case <-ctx.Done():
			return "", control.Errorf(control.CodeTimeout, "%s does not wait to be attached; it is %s: %s", d.Name, d.Status, d.Reason)
		}
	}
}
