package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/cmd/internal/upgrade"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/profiles"
)

// upgradeTime bounds an upgrade beyond the --timeout that the peer keeps.
const upgradeTime = 2 * time.Minute

func upgradeCommand(usage cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "upgrade", Usage: "replace the running peerd; the same as ccpc upgrade",
		ArgsUsage: "[BINARY]", OnUsageError: usage,
		Description: "No component is restarted. See ccpc upgrade --help.\nExample: peerd upgrade /opt/peerd-1.2/peerd",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "socket", Usage: "the peer's control `SOCKET`", EnvVars: []string{"PEERD_SOCKET"}},
			&cli.DurationFlag{Name: "timeout", Usage: "`DURATION` to wait for what has to end before; 0: as the peer does"},
		},
		Action: upgradePeer,
	}
}

func upgradePeer(c *cli.Context) error {
	if c.NArg() > 1 {
		return &usageError{errors.New("upgrade takes one program; see peerd upgrade --help")}
	}
	socket := c.String("socket")
	if socket == "" {
		socket = profiles.DefaultSocket(os.Geteuid(), os.LookupEnv)
	}
	ctx, cancel := context.WithTimeout(c.Context, upgradeTime+c.Duration("timeout"))
	defer cancel()
	client := api.NewClient(socket)
	defer client.Close()
	u, err := upgrade.Run(ctx, client, c.Args().First(), c.Duration("timeout"), func(control.Upgrade) {})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: %s to %s\n", u.Outcome, u.From, u.To)
	return nil
}
