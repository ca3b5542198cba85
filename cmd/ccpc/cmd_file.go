package main

import (
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/descriptor"
	"github.com/seed-04209a44/peerd/internal/version"
	"github.com/seed-04209a44/peerd/profiles"
)

// fileCommands need no peer.
func (p *program) fileCommands() []*cli.Command {
	return []*cli.Command{
		p.newCommand(),
		p.attachCommand(),
		p.importCommand(),
		{
			Name: "validate", Usage: "check a profile", ArgsUsage: "PROFILE", Action: p.validate,
			Description: describe("Prints every fault with file, line and column and exits 7 when there is one. Nothing is started.", "ccpc validate profiles/quickstart.yaml"),
		},
		{
			Name: "descriptor", Usage: "print a ServiceDescriptor.xml", ArgsUsage: "FILE", Action: p.descriptor,
			Description: describe("Prints it as YAML, or as JSON with -o json, with all defaults filled in.", "ccpc descriptor ServiceDescriptor.xml"),
		},
		{
			Name: "completion", Usage: "print a shell's completion script", ArgsUsage: "bash|zsh|fish", Action: p.completion,
			Description: describe("Completes verbs, flags and the names of live instances.", "source <(ccpc completion bash)", "ccpc completion fish > ~/.config/fish/completions/ccpc.fish"),
		},
		{
			Name: "version", Usage: "print the version of ccpc", ArgsUsage: " ", Action: p.version,
			Description: describe("`ccpc status` prints the peer's.", "ccpc version"),
		},
	}
}

func (p *program) validate(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	plan, err := profiles.Load(c.Args().First(), profiles.LoadOptions{Hostname: host, UID: os.Geteuid()})
	if err != nil {
		return invalidProfile(err)
	}
	for _, w := range plan.Warnings {
		p.out.note("warning: %s", escape(w, false))
	}
	result := struct {
		Valid     bool     `json:"valid"`
		Hash      string   `json:"hash"`
		Instances int      `json:"instances"`
		Warnings  []string `json:"warnings"`
	}{true, plan.Hash, len(plan.Specs), append([]string{}, plan.Warnings...)}
	return p.out.value(result, func() error {
		return p.out.printf("%s is valid: %d instances\n", c.Args().First(), len(plan.Specs))
	})
}

// invalidProfile has every fault as one of its details.
func invalidProfile(err error) error {
	e := control.Errorf(control.CodeInvalid, "%v", err)
	var faults profiles.Errors
	if errors.As(err, &faults) {
		e.Details = faults
	}
	return e
}

func (p *program) descriptor(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	name := c.Args().First()
	f, err := os.Open(name)
	if err != nil {
		return control.Errorf(control.CodeInvalid, "cannot read the descriptor: %v", err)
	}
	defer f.Close()
	d, warnings, err := descriptor.Parse(f, name)
	if err != nil {
		return control.Errorf(control.CodeInvalid, "%v", err)
	}
	for _, w := range warnings {
		p.out.note("warning: %s", escape(w, false))
	}
	return p.out.value(d, func() error { return p.out.yaml(d) })
}

func (p *program) version(c *cli.Context) error {
	v := map[string]string{"ccpc": version.String()}
	return p.out.value(v, func() error { return p.out.printf("ccpc %s\n", version.String()) })
}
