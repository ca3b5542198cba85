package main

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/profiles/imports"
)

// importKinds are the kinds of file that can be imported, as words.
func importKinds() []string {
	words := make([]string, len(imports.Kinds))
	for i, k := range imports.Kinds {
		words[i] = string(k)
	}
	return words
}

func (p *program) importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "make a profile of another tool's file", ArgsUsage: strings.Join(importKinds(), "|") + " FILE", Action: p.importFile,
		Description: describe("Prints an equivalent profile; what it cannot carry over is listed on standard error. Nothing is started. FILE - is standard input.",
			"ccpc import procfile Procfile > profile.yaml", "ccpc import compose docker-compose.yaml", "ccpc import systemd /etc/systemd/system/web.service -o json"),
	}
}

func (p *program) importFile(c *cli.Context) error {
	if err := wantArgs(c, 2, 2); err != nil {
		return err
	}
	kind, name := c.Args().Get(0), c.Args().Get(1)
	if !slices.Contains(importKinds(), kind) {
		return usagef("cannot import %q: use %s", kind, strings.Join(importKinds(), ", "))
	}
	data, err := p.readFile(name, imports.MaxSize)
	if err != nil {
		return err
	}
	r, err := imports.Convert(imports.Kind(kind), name, data)
	if err != nil {
		return control.Errorf(control.CodeInvalid, "%v", err)
	}
	result := struct {
		Profile    string   `json:"profile"`
		NotCarried []string `json:"notCarried"`
	}{string(r.Profile), append([]string{}, r.NotCarried...)}
	return p.out.value(result, func() error {
		for _, n := range r.NotCarried {
			p.out.note("not carried over: %s", escape(n, false))
		}
		return p.out.printf("%s", r.Profile)
	})
}

// called is a file's name for people.
func called(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// readFile reads a file, or standard input for -, and refuses what is larger
// than most bytes.
func (p *program) readFile(name string, most int64) ([]byte, error) {
	from := p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, control.Errorf(control.CodeInvalid, "cannot read the file: %v", err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
		return nil, control.Errorf(control.CodeInvalid, "cannot read %s: %v", called(name), err)
	case int64(len(data)) > most:
		return nil, control.Errorf(control.CodeInvalid, "%s is larger than %d bytes, which is the limit", called(name), most)
	}
	return data, nil
}
