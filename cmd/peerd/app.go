package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/cmd/internal/cliargs"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/internal/version"
	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/peer"
	"github.com/seed-04209a44/peerd/profiles"
)

// run is the whole program but for the exit.
func run(args []string, stdout, stderr io.Writer) int {
	app := newApp(stdout, stderr)
	err := app.Run(cliargs.Arrange(app, args))
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "peerd:", err)
	return exitCode(err)
}

// exitCode gives an error the code that the documentation promises.
func exitCode(err error) int {
	var usage *usageError
	if errors.As(err, &usage) {
		return control.CodeUsage.ExitCode()
	}
	return control.AsError(err).Code.ExitCode()
}

// usageError is a wrong call.
type usageError struct{ error }

func newApp(stdout, stderr io.Writer) *cli.App {
	usage := func(_ *cli.Context, err error, _ bool) error { return &usageError{err} }
	return &cli.App{
		Name:           "peerd",
		Usage:          "launch and supervise the components of a profile",
		Version:        version.String(),
		HideVersion:    true,
		Writer:         stdout,
		ErrWriter:      stderr,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usage,
		Commands:       []*cli.Command{runCommand(usage), validateCommand(usage), schemaCommand(), versionCommand(), upgradeCommand(usage), keeperCommand(), checkCommand()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{fmt.Errorf("no command %q; see peerd --help", c.Args().First())}
			}
			return cli.ShowAppHelp(c)
		},
	}
}

// keeperCommand is what peerd starts for itself: see package keeper.
func keeperCommand() *cli.Command {
	return &cli.Command{
		Name: "keeper", Hidden: true, Usage: "hold the components of a peer; started by peerd itself",
		Action: func(c *cli.Context) error { return keeper.Main(c.Args().Slice(), c.App.Writer) },
	}
}

// checkCommand is what a running peerd asks a program that is to take over.
func checkCommand() *cli.Command {
	return &cli.Command{
		Name: peer.CheckVerb, Hidden: true, Usage: "say whether this peerd can take over from another one; asked by peerd itself",
		Action: func(c *cli.Context) error {
			var q peer.Question
			if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
				return &usageError{fmt.Errorf("cannot read the question: %w", err)}
			}
			return json.NewEncoder(c.App.Writer).Encode(peer.Check(q))
		},
	}
}

func validateCommand(usage cli.OnUsageErrorFunc) *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check a profile and name every fault in it",
		ArgsUsage: "PROFILE", OnUsageError: usage,
		Description: "Example: peerd validate profiles/quickstart.yaml",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &usageError{errors.New("validate takes one profile; see peerd validate --help")}
			}
			plan, err := profiles.Load(c.Args().First(), profiles.LoadOptions{UID: os.Geteuid()})
			if err != nil {
				return control.Errorf(control.CodeInvalid, "%v", err)
			}
			for _, w := range plan.Warnings {
				fmt.Fprintln(c.App.ErrWriter, "warning:", w)
			}
			fmt.Fprintf(c.App.Writer, "%s is valid: %d instances\n", c.Args().First(), len(plan.Specs))
			return nil
		},
	}
}

func schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print the JSON Schema of profiles, for editors",
		Description: "Example: peerd schema > peerd.schema.json",
		Action: func(c *cli.Context) error {
			schema, err := profiles.Schema()
			if err != nil {
				return err
			}
			_, err = c.App.Writer.Write(schema)
			return err
		},
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version",
		Description: "Example: peerd version",
		Action: func(c *cli.Context) error {
			fmt.Fprintln(c.App.Writer, "peerd", version.String())
			return nil
		},
	}
}
