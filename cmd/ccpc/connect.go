package main

import (
	"context"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/profiles"
)

// socket is the given socket or the default one of a profile.
func socket(given string) string {
	if given != "" {
		return given
	}
	return profiles.DefaultSocket(os.Geteuid(), os.LookupEnv)
}

// call runs one operation that is answered at once.
func call(c *cli.Context, typ string, req, resp any) error {
	timeout := c.Duration("timeout")
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(c.Context, timeout)
	defer cancel()
	cl, err := connect(ctx, c)
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.Call(ctx, typ, req, resp)
}

// limited is the command's context with --timeout, if given, and grace on top.
func limited(c *cli.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	if d := c.Duration("timeout"); d > 0 {
		return context.WithTimeout(c.Context, d+grace)
	}
	return context.WithCancel(c.Context)
}

// oneName is the single NAME of a verb that takes nothing else.
func oneName(c *cli.Context) (control.NameRequest, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return control.NameRequest{}, err
	}
	return control.NameRequest{Name: c.Args().First(), Application: c.String("app")}, nil
}

// wantArgs checks the number of names; most < 0 is any.
func wantArgs(c *cli.Context, least, most int) error {
	n := c.NArg()
	switch {
	case n < least:
		return usagef("%s needs %s: `ccpc %s --help` shows an example", c.Command.Name, c.Command.ArgsUsage, c.Command.Name)
	case most >= 0 && n > most:
		return usagef("%s takes %s; %q is too much", c.Command.Name, orNothing(c.Command.ArgsUsage), c.Args().Get(most))
	default:
		return nil
	}
}

func orNothing(s string) string {
	if s == "" || s == " " {
		return "no names"
	}
	return s
}

// selection reads names, --all, --app and --group. needed says whether naming
// nothing is an error rather than everything. With a whole target --all means
// all of its peers, and their instances where nothing else is said.
func selection(c *cli.Context, needed bool) (control.Selection, error) {
	s := control.Selection{Names: c.Args().Slice(), All: c.Bool("all"), Application: c.String("app"), Group: c.String("group")}
	if wholeTarget(c) && (len(s.Names) > 0 || s.Application != "" || s.Group != "") {
		s.All = false
	}
	switch {
	case s.All && len(s.Names) > 0:
		return s, usagef("%s takes names or --all, not both", c.Command.Name)
	case needed && !s.All && len(s.Names) == 0 && s.Application == "" && s.Group == "":
		return s, usagef("%s needs a NAME, --all, --app GUID or --group G: `ccpc ps` lists the names", c.Command.Name)
	default:
		return s, nil
	}
}

// appFlag qualifies a NAME or, where it stands alone, selects an application.
func appFlag() cli.Flag {
	return &cli.StringFlag{Name: "app", Usage: "the application's `GUID`"}
}

func selectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "all", Usage: "all instances; with --target and a NAME: on all of its peers"},
		appFlag(),
		&cli.StringFlag{Name: "group", Usage: "all instances of the group `G`"},
	}
}
