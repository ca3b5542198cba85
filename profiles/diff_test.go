package profiles

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fieldCases change one key each. base and changed are lines of the component
// `it`; fields defaults to the key itself.
var fieldCases = []struct {
	key, base, changed string
	kind               ChangeKind
	fields             string
}{
	{key: "descriptor", base: "descriptor: sd.xml", changed: "descriptor: sd2.xml", kind: ChangeRestart},
	{key: "command", base: "command: [/bin/a]", changed: "command: [/bin/a, -v]", kind: ChangeRestart},
	{key: "ccp", base: "ccp: true\nhealth: {tcp: 'localhost:1'}\nready: ", changed: "ccp: false\nhealth: {tcp: 'localhost:1'}", kind: ChangeRestart, fields: "ccp ready"},
	{key: "launch", base: "ccp: true\nhealth: {ccp: true}", changed: "ccp: true\nhealth: {ccp: true}\nlaunch: manual", kind: ChangeRestart},
	{key: "arguments", base: "descriptor: sd.xml\nccp: true", changed: "descriptor: sd.xml\nccp: true\narguments: {mode: slow}", kind: ChangeRestart},
	{key: "config", base: "config: {a: {b: 1}}", changed: "config: {a: {b: 2}}", kind: ChangeRestart},
	{key: "env", base: "env: {A: b}", changed: "env: {A: c}", kind: ChangeRestart},
	{key: "envFile", base: "envFile: [one.env]", changed: "envFile: [two.env]", kind: ChangeRestart, fields: "env"},
	{key: "secrets", base: "secrets: {A: {file: a}}", changed: "secrets: {A: {file: b}}", kind: ChangeRestart},
	{key: "workingDirectory", base: "", changed: "workingDirectory: /tmp", kind: ChangeRestart},
	{key: "user", base: "", changed: "user: nobody", kind: ChangeRestart},
	{key: "osGroup", base: "", changed: "osGroup: 65534", kind: ChangeRestart},
	{key: "ready", base: "ready: {startSeconds: 1s}", changed: "ready: {notify: true}", kind: ChangeRestart},
	{key: "oneShot", base: "ready: {notify: true}\nrestart: {policy: never}", changed: "oneShot: true\nready: {notify: true}\nrestart: {policy: never}", kind: ChangeRestart},
	{key: "forks", base: "ready: {notify: true}", changed: "forks: true\nready: {notify: true}", kind: ChangeRestart},
	{key: "sandbox", base: "", changed: "sandbox: {capabilities: []}", kind: ChangeRestart},
	{key: "checksum", base: "", changed: "checksum: 'sha256:" + strings.Repeat("0", 64) + "'", kind: ChangeRestart},
	{key: "logs", base: "logs: {maxFiles: 4}", changed: "logs: {maxFiles: 5}", kind: ChangeRestart},
	{key: "resources.nofile", base: "", changed: "resources: {nofile: 64}", kind: ChangeRestart},
	{key: "resources.nice", base: "", changed: "resources: {nice: 3}", kind: ChangeRestart},
	{key: "resources.oomScoreAdj", base: "", changed: "resources: {oomScoreAdj: 0}", kind: ChangeRestart},

	{key: "resources.memory", base: "resources: {memory: 1MiB}", changed: "resources: {memory: 2MiB}", kind: ChangeUpdate},
	{key: "resources.cpu", base: "", changed: "resources: {cpu: 0.5}", kind: ChangeUpdate},
	{key: "resources.pids", base: "", changed: "resources: {pids: 5}", kind: ChangeUpdate},
	{key: "resources.maxMemoryRestart", base: "", changed: "resources: {maxMemoryRestart: 5MiB}", kind: ChangeUpdate},
	{key: "group", base: "group: one", changed: "group: two", kind: ChangeUpdate},
	{key: "runOn", base: "runOn: any", changed: "runOn: primary", kind: ChangeUpdate},
	{key: "dependsOn", base: "dependsOn: [other]", changed: "dependsOn: {other: {soft: true}}", kind: ChangeUpdate},
	{key: "launchOrder", base: "", changed: "launchOrder: 3", kind: ChangeUpdate},
	{key: "loggers", base: "loggers: {root: info}", changed: "loggers: {root: debug}", kind: ChangeUpdate},
	{key: "launchTimeout", base: "", changed: "launchTimeout: 31s", kind: ChangeUpdate},
	{key: "componentStopWaitTime", base: "", changed: "componentStopWaitTime: 11s", kind: ChangeUpdate},
	{key: "stopSignal", base: "", changed: "stopSignal: INT", kind: ChangeUpdate},
	{key: "restart", base: "", changed: "restart: {limit: {count: 9}}", kind: ChangeUpdate},
	{key: "health", base: "", changed: "health: {exec: [/bin/true]}", kind: ChangeUpdate},
	{key: "missedRuns", base: "missedRuns: skip", changed: "missedRuns: once", kind: ChangeUpdate},
	{key: "schedule", base: "schedule: '1 * * * *'", changed: "schedule: '2 * * * *'", kind: ChangeUpdate},
	{key: "hooks", base: "", changed: "hooks: {preStop: [/bin/true]}", kind: ChangeUpdate},
	{key: "watch", base: "", changed: "watch: [src]", kind: ChangeUpdate},
	{key: "enabled", base: "enabled: true", changed: "enabled: false", kind: ChangeStop},
	{key: "enabled", base: "enabled: false", changed: "enabled: true", kind: ChangeStart},
}

// profileWith writes a profile in which the component `it` has these lines.
func profileWith(t *testing.T, dir, lines string) *Plan {
	t.Helper()
	text := "groups: {one: {}, two: {}}\ncomponents:\n  other: {command: [/bin/other]}\n  it:\n"
	if !strings.Contains(lines, "command:") {
		lines = "command: [/bin/it]\n" + lines
	}
	for _, line := range strings.Split(lines, "\n") {
		if !strings.HasSuffix(line, ": ") {
			text += "    " + line + "\n"
		}
	}
	path := filepath.Join(dir, "profile.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := Load(path, LoadOptions{UID: 1000, Hostname: "h", Env: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return plan
}

// supporting files that the cases name.
func supportingFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sd := `<service guid="S" version="%s"><execution type="1"><launchtype supported="5"/><separate-process executable="s"/>
		<runtime-arguments><runtime-argument name="mode"><value>fast</value></runtime-argument></runtime-arguments></execution></service>`
	for name, text := range map[string]string{
		"sd.xml": fmt.Sprintf(sd, "1.0"), "sd2.xml": fmt.Sprintf(sd, "2.0"), "one.env": "A=1", "two.env": "A=2",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestEachFieldAlone changes one key at a time and wants exactly one change,
// of the right kind, for exactly that instance.
func TestEachFieldAlone(t *testing.T) {
	dir := supportingFiles(t)
	for _, c := range fieldCases {
		t.Run(c.key+"/"+c.kind.String(), func(t *testing.T) {
			old, new := profileWith(t, dir, c.base), profileWith(t, dir, c.changed)
			changes := Diff(old, new)
			if len(changes) != 1 {
				t.Fatalf("got %d changes, want 1: %+v", len(changes), changes)
			}
			got := changes[0]
			if got.Kind != c.kind || got.New.Name != "it" {
				t.Errorf("got %v of %s, want %v of it", got.Kind, got.New.Name, c.kind)
			}
			if want := orElse(c.fields, c.key); strings.Join(got.Fields, " ") != want {
				t.Errorf("got fields %v, want %s", got.Fields, want)
			}
			if old.Hash == new.Hash {
				t.Error("the plans' hashes are equal")
			}
		})
	}
}

// TestFieldTableIsComplete sees that no key of a component escapes the table
// of effects, nor the test above.
func TestFieldTableIsComplete(t *testing.T) {
	tested := map[string]bool{"replicas": true, "application": true} // tests of their own
	for _, c := range fieldCases {
		tested[c.key] = true
	}
	known := map[string]bool{}
	for _, f := range specFields {
		known[strings.Split(f.key, ".")[0]] = true
		if !tested[f.key] {
			t.Errorf("no case changes %s", f.key)
		}
	}
	for _, f := range orderedFields(reflect.TypeFor[ComponentConfig]()) {
		if !known[f.name] && f.name != "envFile" {
			t.Errorf("the key %s has no effect in specFields", f.name)
		}
	}
}

// TestSpecFieldsAreAllHashed changes each field of a Spec by reflection.
func TestSpecFieldsAreAllHashed(t *testing.T) {
	derived := []string{"Component", "Instance", "Name", "Address", "Hash", "LiveHash"}
	restart, live := (&Spec{}).hashes()
	for i := range reflect.TypeFor[Spec]().NumField() {
		name := reflect.TypeFor[Spec]().Field(i).Name
		if slices.Contains(derived, name) {
			continue
		}
		var s Spec
		touch(reflect.ValueOf(&s).Elem().Field(i))
		if r, l := s.hashes(); r == restart && l == live {
			t.Errorf("changing %s changes no hash", name)
		}
	}
}

// touch makes a value differ from its zero value.
func touch(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		touch(v.Field(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		if v.CanUint() {
			v.SetUint(1)
		} else {
			v.SetInt(1)
		}
	}
}

func TestReplicas(t *testing.T) {
	dir := supportingFiles(t)
	two, three := profileWith(t, dir, "replicas: 2"), profileWith(t, dir, "replicas: 3")
	if got := describeChanges(Diff(two, three)); got != "update it#1, update it#2, start it#3" {
		t.Error(got)
	}
	if got := describeChanges(Diff(three, two)); got != "stop it#3, update it#1, update it#2" {
		t.Error(got)
	}
	scaled, err := Load(filepath.Join(dir, "profile.yaml"), LoadOptions{
		UID: 1000, Hostname: "h", Replicas: map[string]int{"profile/it": 2},
		Env: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	if scaled.Hash != two.Hash || len(Diff(scaled, two)) != 0 {
		t.Error("scaling and writing the number give different plans")
	}
}

func TestChangesOrder(t *testing.T) {
	dir := t.TempDir()
	load := func(text string) *Plan {
		path := filepath.Join(dir, "p.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		plan, err := Load(path, LoadOptions{UID: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	old := load("components: {a: {command: [/bin/x]}, b: {command: [/bin/x], dependsOn: [a]}, c: {command: [/bin/x]}}")
	new := load("components: {d: {command: [/bin/x], dependsOn: [c]}, c: {command: [/bin/y]}}")
	if got := describeChanges(Diff(old, new)); got != "stop b, stop a, restart c, start d" {
		t.Error(got)
	}
	renamed := load("application: {version: '2.0'}\ncomponents: {c: {command: [/bin/y]}, d: {command: [/bin/x], dependsOn: [c]}}")
	if got := describeChanges(Diff(new, renamed)); got != "stop d, stop c, start c, start d" {
		t.Error(got)
	}
	if got := describeChanges(Diff(nil, old)); got != "start a, start b, start c" {
		t.Error(got)
	}
}

func describeChanges(changes []Change) string {
	var out []string
	for _, c := range changes {
		s := c.New
		if s == nil {
			s = c.Old
		}
		out = append(out, c.Kind.String()+" "+s.Name)
	}
	return strings.Join(out, ", ")
}
