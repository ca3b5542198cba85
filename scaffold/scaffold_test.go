package scaffold

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "take the templates over from the sample")

const sample = "../samples/CCPComponent"

// copied are the files that the sample and the Go template have in common.
var copied = []string{"main.go", "ticker.go", "control.go", "ticker_test.go", "ServiceDescriptor.xml"}

func TestTemplatesAreTheSample(t *testing.T) {
	template := strings.NewReplacer(
		"CCPComponent", "{{Name}}", "ccpcomponent", "{{program}}",
		"The peerd authors", "{{author}}", "22-11-2026 12:00:00", "{{date}}",
		`ccpc send ticker `, `ccpc send {{program}} `,
	)
	for _, name := range copied {
		text, err := os.ReadFile(filepath.Join(sample, name))
		if err != nil {
			t.Fatal(err)
		}
		want, path := template.Replace(string(text)), filepath.Join("templates/go", name+".tmpl")
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not the sample's %s (%v): run go test ./scaffold -update", path, name, err)
		}
	}
}

// The one promise: what is written builds, and its own tests pass, offline.
func TestWrittenComponentBuilds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my orders") // a path with a blank
	files, err := Write(dir, "Orders-2", "go", Options{Checkout: "..", Author: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"go.mod", "go.sum", "profile.yaml", "README.md"}, copied...) {
		if !slices.Contains(files, name) {
			t.Errorf("%s was not written", name)
		}
	}
	for _, args := range [][]string{{"build", "-o", "orders-2", "."}, {"vet", "."}, {"test", "."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "{{") || name != "go.mod" && strings.Contains(string(text), "ccpcomponent") {
			t.Errorf("%s is not filled in:\n%s", name, text)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	free := filepath.Join(t.TempDir(), "new")
	for _, c := range []struct {
		dir, name, lang string
		o               Options
		want            string
	}{
		{free, "my_orders", "go", Options{Checkout: ".."}, "letters, digits and hyphens"},
		{free, "../orders", "go", Options{Checkout: ".."}, "letters, digits and hyphens"},
		{free, "", "go", Options{Checkout: ".."}, "letters, digits and hyphens"},
		{free, "orders", "cobol", Options{Checkout: ".."}, `there are templates for go`},
		{free, "orders", "go", Options{Checkout: t.TempDir()}, "is no checkout of"},
		{full, "orders", "go", Options{Checkout: ".."}, "is not empty"},
		{filepath.Join(free, "deep"), "orders", "go", Options{Checkout: ".."}, "no such file"},
	} {
		if _, err := Write(c.dir, c.name, c.lang, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q in %s: error %v, want one with %q", c.name, c.lang, c.dir, err, c.want)
		}
	}
	if _, err := os.Stat(free); err == nil {
		t.Error("something was left behind")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(full), ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReleasedModule(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if _, err := Write(dir, "orders", "go", Options{Version: "v1.2.0", Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.Contains(string(mod), Module+" v1.2.0") || strings.Contains(string(mod), "replace") {
		t.Errorf("go.mod: %s, %v", mod, err)
	}
	xml, err := os.ReadFile(filepath.Join(dir, "ServiceDescriptor.xml"))
	if err != nil || !strings.Contains(string(xml), "02-01-2026 03:04:05") {
		t.Errorf("ServiceDescriptor.xml: %s, %v", xml, err)
	}
}
