package profiles_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/seed-04209a44/peerd/profiles"
)

// TestLoads holds each archive's plan against the one it lists.
func TestLoads(t *testing.T) {
	files, err := filepath.Glob("testdata/loads/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir, path := unpack(t, archive)
			plan, err := profiles.Load(path, options())
			if err != nil {
				t.Fatal(err)
			}
			hidden := ordinary(t)
			if strings.HasSuffix(file, "defaults.txtar") {
				hidden = nil
			}
			got := strings.ReplaceAll(render(t, plan, hidden), dir, "DIR")
			want := &archive.Files[len(archive.Files)-1]
			if *rewrite {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want.Data) {
				t.Errorf("got:\n%swant:\n%s", got, want.Data)
			}
		})
	}
}

// ordinary is what every plain process has that says nothing of itself.
func ordinary(t *testing.T) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte("components: {x: {command: [/bin/sh]}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := profiles.Load(path, options())
	if err != nil {
		t.Fatal(err)
	}
	public := plan.Specs[0].Public()
	delete(public, "path")
	return public
}

// render writes a plan one fact a line; hashes and what is hidden are left out.
func render(t *testing.T, p *profiles.Plan, hidden map[string]any) string {
	t.Helper()
	var b strings.Builder
	line := func(name string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", name, text)
	}
	line("peer", p.Peer)
	line("groups", p.Groups)
	if p.Connector != nil {
		line("connector", p.Connector)
	}
	if p.Controller != nil {
		line("controller", p.Controller)
	}
	for _, s := range p.Specs {
		public := s.Public()
		for _, omit := range []string{"hash", "name", "component", "application", "applicationVersion"} {
			delete(public, omit)
		}
		for key, value := range hidden {
			if reflect.DeepEqual(public[key], value) {
				delete(public, key)
			}
		}
		fmt.Fprintf(&b, "\n%s\n", s.Name)
		text, err := json.MarshalIndent(public, "  ", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  %s\n", compactLists(string(text)))
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning %s\n", w)
	}
	for _, f := range p.Files {
		fmt.Fprintf(&b, "file %s\n", f)
	}
	return b.String()
}

// compactLists puts what json.MarshalIndent spreads over lines, below the
// second level, back into one.
func compactLists(s string) string {
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		depth := len(line) - len(trimmed)
		closing := trimmed != "" && strings.ContainsAny(trimmed[:1], "]}")
		if i > 0 && (depth <= 4 && !(closing && depth == 4)) {
			b.WriteString("\n" + line)
			continue
		}
		b.WriteString(trimmed)
	}
	return b.String()
}

func TestProgramIsLookedUpInPath(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one/tool", "two/tool"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	profile := filepath.Join(dir, "p.yaml")
	text := "components:\n  a: {command: [tool]}\n  b: {command: [tool], env: {PATH: " + dir + "/two}}\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Env = func(name string) (string, bool) {
		if name != "PATH" {
			return "", false
		}
		return dir + "/none:" + dir + "/one:" + dir + "/two", true
	}
	plan, err := profiles.Load(profile, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := plan.Specs[0].Path, plan.Specs[1].Path; a != dir+"/one/tool" || b != dir+"/two/tool" {
		t.Errorf("got %s and %s", a, b)
	}
}

func TestDefaultFolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte("components: {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, state, run string
		uid              int
		env              map[string]string
	}{
		{name: "root", state: "/var/lib/peerd", run: "/run/peerd"},
		{name: "user", uid: 7, env: map[string]string{"HOME": "/h"}, state: "/h/.local/state/peerd", run: "/tmp/peerd-7"},
		{name: "xdg", uid: 7, env: map[string]string{"XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}, state: "/s/peerd", run: "/r/peerd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options()
			o.UID = c.uid
			o.Env = func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
			plan, err := profiles.Load(path, o)
			if err != nil {
				t.Fatal(err)
			}
			if p := plan.Peer; p.StateDir != c.state || p.RuntimeDir != c.run || p.Socket != c.run+"/peerd.sock" {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestLoadRefusesWhatIsNoProfile(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, []byte("# "+strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "missing.yaml"): "no such file",
		big:                                "larger than 1048576 bytes",
		"/dev/null":                        "no regular file",
	} {
		if _, err := profiles.Load(path, options()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"*.yaml", "testdata/*/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if archive := txtar.Parse(data); len(archive.Files) > 0 {
				data = archive.Files[0].Data
			}
			f.Add(data)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "p.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		plan, err := profiles.Load(path, options())
		if (plan == nil) == (err == nil) {
			t.Fatalf("plan %v with error %v", plan, err)
		}
		if err != nil {
			return
		}
		again, err := profiles.Load(path, options())
		if err != nil || again.Hash != plan.Hash || len(profiles.Diff(plan, again)) != 0 {
			t.Fatalf("the same file gives another plan: %v", err)
		}
		for _, s := range plan.Specs {
			s.Public()
		}
	})
}
