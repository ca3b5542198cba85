//go:build linux

package acceptance_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// position is file:line:column, which every fault has, but one of a folder as
// a whole.
var position = regexp.MustCompile(`(?m)^(?:ccpc: |peerd: )?\S+\.(yaml|xml):[0-9]+:[0-9]+: \S`)

// bound is when a refusal counts as hanging. It takes some 20 ms; the contract
// promises 1 s, of which a busy machine may need most to start a program.
const bound = 10 * time.Second

// Issue 2: 20 malformed profiles are refused within 1 s with position and
// reason, and what runs is untouched: by peerd validate, by ccpc validate, as
// a change of what runs, and to start with.
func TestMalformedProfilesAreRefused(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../profiles/testdata/malformed/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d malformed profiles, %v", len(files), err)
	}
	p := start(t, pair)
	p.env = append(p.env, "SET=set")
	p.running("ticker", "plain")
	before, dir := p.pids(), p.path("profiles")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, strings.TrimSuffix(filepath.Base(file), ".txtar"))
		profile := unpack(t, archive, path)
		for _, verb := range [][]string{{"peerd", "validate"}, {"ccpc", "validate"}, {"peerd", "run"}} {
			p.refusesFile(strings.Contains(file, "folder-empty"), verb[0], verb[1], profile)
		}
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// refusesFile wants a program to refuse a file in time, with a position.
func (p *peerd) refusesFile(unplaced bool, name string, args ...string) {
	p.t.Helper()
	began := time.Now()
	r := p.exec(name, args...)
	took := time.Since(began)
	if r.code != 7 || r.stdout != "" || took > bound || !unplaced && !position.MatchString(r.stderr) {
		p.t.Errorf("want exit code 7 and a position within %v, took %v: %v", bound, took, r)
	}
}

// unpack writes an archive's files, except `want`, and gives what to load.
func unpack(t *testing.T, archive *txtar.Archive, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := dir
	for _, f := range archive.Files {
		if f.Name == "want" {
			continue
		}
		if f.Name == "profile.yaml" {
			path = filepath.Join(dir, f.Name)
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// What runs is untouched by each of them as a change of its own profile.
func TestMalformedReloadsChangeNothing(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.pids()
	for name, body := range map[string]string{
		"unknown key":        "components: {a: {comand: [/bin/true]}}",
		"wrong type":         "components: [a, b]",
		"duplicate key":      "components: {a: {command: [/bin/true]}, a: {command: [/bin/true]}}",
		"second document":    pair + "---\ncomponents: {}\n",
		"cycle":              "components: {a: {command: [/bin/true], dependsOn: [b]}, b: {command: [/bin/true], dependsOn: [a]}}",
		"unknown dependency": "components: {a: {command: [/bin/true], dependsOn: [ghost]}}",
		"no such descriptor": "components: {a: {descriptor: ghost.xml}}",
		"no such variable":   "components: {a: {command: ['${NO_SUCH_VARIABLE}']}}",
		"no YAML":            "components: {a: {command: [/bin/true]",
		"a tab":              "components:\n\ta: {}\n",
		"negative duration":  "components: {a: {command: [/bin/true], launchTimeout: -1s}}",
		"binary":             "components: {a: {command: [\"\x00\x01\"]}}",
		"neither nor":        "components: {a: {}}",
		"bad regexp":         "components: {a: {command: [/bin/true], ready: {logLine: '(['}}}",
		"alias bomb":         "x: &x [&y [*x]]\n",
	} {
		p.write(body)
		began := time.Now()
		r := p.ccpc("reload")
		if took := time.Since(began); r.code != 7 || took > bound || !strings.Contains(r.stderr, "profile.yaml:") {
			t.Errorf("%s: want exit code 7 and a position within %v, took %v: %v", name, bound, took, r)
		}
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
	if len(p.degraded()) == 0 {
		t.Error("status has nothing to say")
	}
	p.write(pair)
	p.waitFor("status is content", func() bool { return len(p.degraded()) == 0 })
}

// Issue 2: 15 malformed descriptors are refused within 1 s with position and
// reason: by ccpc descriptor, and by a profile that names them.
func TestMalformedDescriptorsAreRefused(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../descriptor/testdata/malformed/*.xml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d malformed descriptors, %v", len(files), err)
	}
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.pids()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.put("bad.xml", string(text))
		p.refusesFile(false, "ccpc", "descriptor", "bad.xml")
		p.put("named.yaml", head+"components: {a: {descriptor: bad.xml}}")
		p.refusesFile(false, "peerd", "validate", "named.yaml")
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}
