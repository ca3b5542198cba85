package profiles_test

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/seed-04209a44/peerd/profiles"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := profiles.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("profile.json", doc); err != nil {
		t.Fatal(err)
	}
	return compiler.MustCompile("profile.json")
}

// validate holds YAML text against the schema as an editor would.
func validate(t *testing.T, schema *jsonschema.Schema, text []byte) error {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(doc)
}

func TestSamplesLoadAndFitTheSchema(t *testing.T) {
	schema := compileSchema(t)
	names, err := fs.Glob(profiles.Samples, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wanted := "dependencies fleet-controller fleet-peer hardened plain-processes quickstart replicas-primary"
	if got := strings.ReplaceAll(strings.Join(names, " "), ".yaml", ""); got != wanted {
		t.Errorf("samples are %q, want %q", got, wanted)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			plan, err := profiles.Load(name, profiles.LoadOptions{UID: 1000, Hostname: "host"})
			if err != nil {
				t.Fatal(err)
			}
			for _, warning := range plan.Warnings {
				if !strings.Contains(warning, "does not exist") {
					t.Error("unexpected warning:", warning)
				}
			}
			if again := profiles.Diff(plan, plan); len(again) != 0 {
				t.Errorf("a plan differs from itself: %v", again)
			}
			text, err := fs.ReadFile(profiles.Samples, name)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, schema, text); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRefusesWhatLoadRefuses(t *testing.T) {
	schema := compileSchema(t)
	for name, text := range map[string]string{
		"unknown key":      "components: {a: {comand: [x]}}",
		"wrong type":       "components: {a: {command: x}}",
		"bad enum":         "components: {a: {command: [x], runOn: some}}",
		"bad duration":     "components: {a: {command: [x], launchTimeout: soon}}",
		"out of range":     "components: {a: {command: [x], replicas: 0}}",
		"missing key":      "connector: {endpoints: [ws://a]}",
		"bad dependsOn":    "components: {a: {command: [x], dependsOn: {b: alive}}}",
		"empty command":    "components: {a: {command: []}}",
		"bad checksum":     "components: {a: {command: [x], checksum: md5:00}}",
		"number as string": "application: {guid: 7}",
	} {
		if validate(t, schema, []byte(text)) == nil {
			t.Errorf("%s: the schema accepts %s", name, text)
		}
	}
}
