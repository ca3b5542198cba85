package main

import (
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/scaffold"
)

func (p *program) newCommand() *cli.Command {
	return &cli.Command{
		Name: "new", Usage: "write a new component", ArgsUsage: "NAME", Action: p.newComponent,
		Description: describe("Makes the folder NAME with a component that runs as it is, and a profile for it.", "ccpc new orders", "ccpc new orders --lang python --dir ./components/orders"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "lang", Usage: "the programming `LANGUAGE`: " + strings.Join(scaffold.Languages(), ", "), Value: "go"},
			&cli.StringFlag{Name: "dir", Usage: "the `FOLDER` to write; it must be empty or not exist", DefaultText: "NAME"},
			&cli.StringFlag{Name: "checkout", Usage: "for go, the `FOLDER` of a checkout of peerd to build against", DefaultText: "the one ccpc was built in"},
		},
	}
}

func (p *program) newComponent(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	name, dir := c.Args().First(), c.String("dir")
	if dir == "" {
		dir = name
	}
	files, err := scaffold.Write(dir, name, c.String("lang"), scaffold.Options{Checkout: c.String("checkout")})
	if err != nil {
		return control.Errorf(control.CodeInvalid, "%v", err)
	}
	result := struct {
		Folder string   `json:"folder"`
		Files  []string `json:"files"`
	}{dir, files}
	return p.out.value(result, func() error {
		for _, f := range files {
			if err := p.out.printf("%s\n", filepath.Join(dir, f)); err != nil {
				return err
			}
		}
		return nil
	})
}
