package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/cmd/internal/upgrade"
	"github.com/seed-04209a44/peerd/control"
)

// upgradeTime bounds an upgrade beyond the --timeout that the peer keeps.
const upgradeTime = 2 * time.Minute

func (p *program) upgradeCommand() *cli.Command {
	return &cli.Command{
		Name: "upgrade", Usage: "replace the running peerd; no component is restarted", ArgsUsage: "[BINARY]", Action: p.upgrade,
		Description: describe("The running peerd asks BINARY, or the file that it was started from, whether it can take over, and becomes it: "+
			"the same pid, the same components, and every command is answered. A BINARY that cannot take over is refused, and everything stays as it was. "+
			"--timeout bounds the wait for what has to end before. The same verb leads back to the version before.",
			"ccpc upgrade", "ccpc upgrade /opt/peerd-1.2/peerd --timeout 1m"),
	}
}

func (p *program) upgrade(c *cli.Context) error {
	if err := wantArgs(c, 0, 1); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, upgradeTime+c.Duration("timeout"))
	defer cancel()
	cl, err := connect(ctx, c)
	if err != nil {
		return err
	}
	defer cl.Close()
	u, err := upgrade.Run(ctx, cl, c.Args().First(), c.Duration("timeout"), func(u control.Upgrade) {
		p.out.progress("handing over from %s to %s", u.From, u.To)
	})
	if err != nil {
		return err
	}
	return p.out.value(u, func() error {
		facts := [][]string{
			{"Outcome", p.out.status(u.Outcome)},
			{"From", u.From},
			{"To", u.To},
			{"Binary", u.Binary},
			{"Took", (time.Duration(u.TookMs) * time.Millisecond).String()},
		}
		if k := u.Keeper; k != nil {
			text := k.From + " to " + k.To
			if k.Detail != "" {
				text = "stays " + k.From + ": " + k.Detail
			}
			facts = append(facts, []string{"Keeper", escape(text, false)})
		}
		return p.out.rows(nil, facts)
	})
}
