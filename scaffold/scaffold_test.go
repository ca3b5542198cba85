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

var update = flag.Bool("update", false, "take the templates over from the samples")

// samples are what the templates are copies of, by language.
var samples = map[string]struct {
	dir    string
	copied []string
	fill   []string // what stands for a sample's own words
}{
	"go": {"../samples/CCPComponent", []string{"main.go", "ticker.go", "control.go", "ticker_test.go", "ServiceDescriptor.xml"}, []string{
		"CCPComponent", "{{Name}}", "ccpcomponent", "{{program}}",
		"The peerd authors", "{{author}}", "22-11-2026 12:00:00", "{{date}}",
		`ccpc send ticker `, `ccpc send {{program}} `,
	}},
	"python": {"../samples/python", []string{
		".gitignore", "README.md", "ccp.py", "component.py", "exchange.proto", "profile.yaml", "requirements.txt",
	}, []string{"PythonComponent", "{{Name}}", "pythoncomponent", "{{program}}"}},
}

func TestTemplatesAreTheSamples(t *testing.T) {
	asIs := func(s string) string { return s }
	isCopy(t, "../samples/python/exchange.proto", "../exchange/stream/exchange.proto", asIs) // first: it is copied on
	for lang, s := range samples {
		fill := strings.NewReplacer(s.fill...)
		for _, name := range s.copied {
			isCopy(t, filepath.Join("templates", lang, name+".tmpl"), filepath.Join(s.dir, name), fill.Replace)
		}
	}
}

// isCopy compares a file with what is made of its original; -update makes it so.
func isCopy(t *testing.T, path, original string, change func(string) string) {
	t.Helper()
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	want := change(string(text))
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what %s makes it (%v): run go test ./scaffold -update", path, original, err)
	}
}

// The one promise: what is written builds, and its own tests pass, offline.
func TestWrittenComponentBuilds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my orders") // a path with a blank
	files, err := Write(dir, "Orders-2", "go", Options{Checkout: "..", Author: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"go.mod", "go.sum", "profile.yaml", "README.md"}, samples["go"].copied...) {
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
	isFilledIn(t, dir, files, "ccpcomponent")
}

// isFilledIn looks for what of a sample was left in the files written from it.
func isFilledIn(t *testing.T, dir string, files []string, sample string) {
	t.Helper()
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "{{") || name != "go.mod" && strings.Contains(strings.ToLower(string(text)), sample) {
			t.Errorf("%s is not filled in:\n%s", name, text)
		}
	}
}

// A component in Python needs no checkout and no module: it runs anywhere. That
// it lives under a peer is acceptance's affair.
func TestWritePython(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	files, err := Write(dir, "Orders-2", "python", Options{Checkout: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(slices.Values(samples["python"].copied)); !slices.Equal(files, want) {
		t.Errorf("wrote %v, want %v", files, want)
	}
	isFilledIn(t, dir, files, "pythoncomponent")
	profile, err := os.ReadFile(filepath.Join(dir, "profile.yaml"))
	if err != nil || !strings.Contains(string(profile), "\n  orders-2:\n") {
		t.Errorf("profile.yaml: %s, %v", profile, err)
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
		{free, "orders", "cobol", Options{Checkout: ".."}, `there are templates for go, python;`},
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
