package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/cmd/internal/cliargs"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/internal/version"
)

// program is one run of ccpc with its surroundings.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	out            *printer
}

// run executes the command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	app := p.app()
	p.out = newPrinter(p.stdout, p.stderr, peekOutput(args))
	if len(args) > 1 && args[1] == completeVerb {
		p.complete(ctx, app, args[2:])
		return 0
	}
	err := app.RunContext(ctx, cliargs.Arrange(app, args))
	if err == nil {
		return 0
	}
	e := asError(err)
	p.out.fail(e)
	return e.Code.ExitCode()
}

// asError is control.AsError that knows an interrupt.
func asError(err error) *control.Error {
	if errors.Is(err, context.Canceled) {
		return control.Errorf(control.CodeFailed, "interrupted: what the peer was asked for may go on; `ccpc ps` shows it")
	}
	return control.AsError(err)
}

func usagef(format string, args ...any) error {
	return control.Errorf(control.CodeUsage, format, args...)
}

// app defines the whole program; help, completion and man pages come from it.
func (p *program) app() *cli.App {
	app := &cli.App{
		Name:      "ccpc",
		Usage:     "control the components of a peer",
		UsageText: "ccpc [flags] VERB [NAME…] [flags]",
		Description: "A NAME is an instance (ticker, ticker#2), qualified by its application where two share it (orders/ticker). " +
			"Flags may stand anywhere.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 timed out, 5 peer unreachable, 6 refused, 7 invalid profile or input.\n\n" +
			"Example:\n\n    ccpc ps\n    ccpc restart ticker --timeout 20s\n    ccpc logs -f ticker",
		Version:         version.String(),
		HideVersion:     true,
		HideHelpCommand: true,
		Writer:          p.stdout,
		ErrWriter:       p.stderr,
		Flags:           globalFlags(),
		Before:          p.prepare,
		Action:          p.noVerb,
		OnUsageError:    usageError,
		ExitErrHandler:  func(*cli.Context, error) {},
	}
	for _, group := range [][]*cli.Command{p.lookCommands(), p.actCommands(), p.componentCommands(), p.streamCommands(), p.peerCommands(), p.fleetCommands(), p.fileCommands()} {
		app.Commands = append(app.Commands, group...)
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
	}
	return app
}

func globalFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "socket", Usage: "the peer's control `SOCKET`", EnvVars: []string{"PEERD_SOCKET"}, DefaultText: "/run/peerd/peerd.sock for root, else peerd/peerd.sock in $XDG_RUNTIME_DIR, without it /tmp/peerd-UID/peerd.sock"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT` of what is printed: table, json or yaml", Value: formatTable},
		&cli.DurationFlag{Name: "timeout", Usage: "give up after `DURATION` (as 30s)"},
		&cli.BoolFlag{Name: "quiet", Usage: "print no progress, and no outcome of what succeeded"},
	}, fleetFlags()...)
}

// prepare checks the global flags before any verb runs.
func (p *program) prepare(c *cli.Context) error {
	switch f := c.String("output"); f {
	case formatTable, formatJSON, formatYAML:
		p.out.format = f
	default:
		return usagef("unknown output format %q: use table, json or yaml", f)
	}
	p.out.quiet = c.Bool("quiet")
	if c.Duration("timeout") < 0 {
		return usagef("--timeout must not be negative")
	}
	return checkFleet(c)
}

// noVerb answers a command line without a known verb.
func (p *program) noVerb(c *cli.Context) error {
	if c.Args().First() == "" {
		return usagef("a verb is missing: `ccpc --help` lists them")
	}
	verb := c.Args().First()
	if s := closest(verb, c.App.Commands); s != "" {
		return usagef("unknown verb %q: did you mean %q?", verb, s)
	}
	return usagef("unknown verb %q: `ccpc --help` lists them", verb)
}

// closest is the verb that a mistyped one most likely meant, or "". The library
// always has a guess; one with another first letter is no typing mistake.
func closest(verb string, commands []*cli.Command) string {
	_, guess, _ := strings.Cut(cli.SuggestCommand(commands, verb), `"`)
	guess, _, _ = strings.Cut(guess, `"`)
	if guess == "" || guess[0] != verb[0] {
		return ""
	}
	return guess
}

func usageError(c *cli.Context, err error, _ bool) error {
	name := "ccpc"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name += " " + c.Command.Name
	}
	return usagef("%v: `%s --help` shows the flags", err, name)
}

// describe is a verb's description with its examples, which each verb has.
func describe(text string, examples ...string) string {
	return strings.TrimSpace(text + "\n\nExample:\n\n    " + strings.Join(examples, "\n    "))
}

// defaultTimeout bounds a call that should be answered at once.
const defaultTimeout = 30 * time.Second
