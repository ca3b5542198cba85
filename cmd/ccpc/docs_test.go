package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/cmd/internal/clidoc"
)

var update = flag.Bool("update", false, "write docs/cli and docs/man anew")

// TestDocs: the reference page and the manual page are those of the program.
func TestDocs(t *testing.T) {
	if err := clidoc.Check(filepath.Join("..", "..", "docs"), testApp(), *update); err != nil {
		t.Error(err)
	}
}

func testApp() *cli.App {
	p := &program{stdout: os.Stdout, stderr: os.Stderr}
	return p.app()
}

// TestEveryVerbExplainsItself: a summary, arguments, an example that is a
// command line of that verb, and usage for each flag.
func TestEveryVerbExplainsItself(t *testing.T) {
	for _, c := range testApp().Commands {
		if c.Usage == "" || c.ArgsUsage == "" || !strings.Contains(c.Description, "Example:\n\n    ") || !strings.Contains(c.Description, "ccpc "+c.Name) {
			t.Errorf("%s: usage %q, arguments %q, description %q", c.Name, c.Usage, c.ArgsUsage, c.Description)
		}
		for _, f := range c.Flags {
			if u, ok := f.(cli.DocGenerationFlag); !ok || u.GetUsage() == "" {
				t.Errorf("%s: flag %v has no usage", c.Name, f.Names())
			}
		}
	}
}

// TestFlagNamesMeanOneThing: arrange relies on it.
func TestFlagNamesMeanOneThing(t *testing.T) {
	app := testApp()
	takesValue := map[string]bool{}
	check := func(flags []cli.Flag, verb string) {
		for _, f := range flags {
			_, isBool := f.(*cli.BoolFlag)
			for _, n := range f.Names() {
				if before, seen := takesValue[n]; seen && before == isBool {
					t.Errorf("%s: --%s takes a value in one verb and none in another", verb, n)
				}
				takesValue[n] = !isBool
			}
		}
	}
	check(app.Flags, "global")
	global := map[string]bool{}
	for n := range takesValue {
		global[n] = true
	}
	for _, c := range app.Commands {
		check(c.Flags, c.Name)
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				if global[n] {
					t.Errorf("%s: --%s is a global flag", c.Name, n)
				}
			}
		}
	}
}
