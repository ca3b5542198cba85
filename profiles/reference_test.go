package profiles

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const referencePage = "../docs/profile.md"

// TestReference keeps the tables of docs/profile.md equal to the Config types.
func TestReference(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	got := between(t, string(page), "live keys", liveKeys())
	got = between(t, got, "reference", reference())
	// The flag is the external tests' of this package: they share a binary.
	if flag.Lookup("rewrite").Value.String() == "true" {
		if err := os.WriteFile(referencePage, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(page) {
		t.Errorf("%s is stale: go test ./profiles -run TestReference -rewrite", referencePage)
	}
}

// between replaces what stands between a page's two marks.
func between(t *testing.T, page, mark, text string) string {
	t.Helper()
	head, rest, ok := strings.Cut(page, "<!-- "+mark+":")
	comment, rest, ok2 := strings.Cut(rest, "-->\n")
	_, tail, ok3 := strings.Cut(rest, "<!-- end of "+mark+" -->")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("%s has no marks for %s", referencePage, mark)
	}
	return head + "<!-- " + mark + ":" + comment + "-->\n" + text + "<!-- end of " + mark + " -->" + tail
}

func liveKeys() string {
	var keys []string
	for _, f := range specFields {
		if f.effect == changesLive && f.key != "enabled" && f.key != "replicas" {
			keys = append(keys, "`"+f.key+"`")
		}
	}
	return strings.Join(keys, ", ") + ".\n\n`enabled` starts or stops, `replicas` starts what is added and stops what is taken away.\n"
}

// reference writes a table for each section, depth first.
func reference() string {
	var b strings.Builder
	var write func(title string, typ reflect.Type)
	seen := map[reflect.Type]bool{}
	write = func(title string, typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		fmt.Fprintf(&b, "### %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", title)
		for _, f := range orderedFields(typ) {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, valueText(f, typ.Field(f.index).Type), defaultText(f), f.doc)
		}
		b.WriteString("\n")
		for _, f := range orderedFields(typ) {
			if inner := sectionType(typ.Field(f.index).Type); inner != nil {
				name := f.name
				if title != "The file" && title != "`components.NAME`" {
					name = strings.Trim(title, "`") + "." + f.name
				}
				if inner == reflect.TypeFor[ComponentConfig]() {
					name = "components.NAME"
				}
				write("`"+name+"`", inner)
			}
		}
	}
	write("The file", reflect.TypeFor[ProfileConfig]())
	return b.String()
}

// sectionType is the struct within a field that deserves a table, or nil.
func sectionType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Map || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t == reflect.TypeFor[DependsOnConfig]() {
		return reflect.TypeFor[DependencyConfig]()
	}
	if t.Kind() == reflect.Struct {
		return t
	}
	return nil
}

var valueWords = map[reflect.Type]string{
	reflect.TypeFor[Duration]():        "duration",
	reflect.TypeFor[Size]():            "size",
	reflect.TypeFor[Signal]():          "signal",
	reflect.TypeFor[Level]():           "trace, debug, info, warn, error or off",
	reflect.TypeFor[Pattern]():         "regular expression",
	reflect.TypeFor[Cron]():            "schedule",
	reflect.TypeFor[Checksum]():        "`sha256:` and digits",
	reflect.TypeFor[HTTPURL]():         "URL",
	reflect.TypeFor[HostPort]():        "host:port",
	reflect.TypeFor[GRPCHost]():        "host:port[/service]",
	reflect.TypeFor[Capability]():      "capability",
	reflect.TypeFor[DependsOnConfig](): "list or map",
	reflect.TypeFor[ArgumentConfig]():  "text, number, boolean or list",
	reflect.TypeFor[any]():             "any",
}

// valueText says what may stand behind a key.
func valueText(f field, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(f.enum) > 0 {
		return alternatives(f.enum)
	}
	if word := valueWords[t]; word != "" {
		return word
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + valueText(field{}, t.Elem())
	case reflect.Map:
		return "map to " + valueText(field{}, t.Elem())
	case reflect.Struct:
		return "section"
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	}
	if f.name == "" || math.IsInf(f.minimum, -1) {
		return "number"
	}
	return "number, " + f.rangeText()
}

func defaultText(f field) string {
	switch {
	case f.required:
		return "required"
	case f.def != "":
		return "`" + f.def + "`"
	}
	return ""
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestDocumentedProfilesLoad loads every example of the page.
func TestDocumentedProfilesLoad(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d examples", len(blocks))
	}
	// As in this repository, the samples stand beside the profiles.
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "samples"), os.DirFS("../samples")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "profiles"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, block := range blocks {
		path := filepath.Join(dir, "profiles", fmt.Sprintf("example-%d.yaml", i+1))
		if err := os.WriteFile(path, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path, LoadOptions{UID: 1000, Env: func(string) (string, bool) { return "", false }}); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
}
