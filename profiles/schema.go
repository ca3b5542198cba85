package profiles

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON Schema (draft 2020-12) of a profile file, generated from
// the Config types: editors complete and check with it.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true}
	s := r.Reflect(&ProfileConfig{})
	s.Title = "peerd profile"
	return json.MarshalIndent(s, "", "  ")
}

func textSchema(pattern, example string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern, Examples: []any{example}}
}

// variable admits ${NAME} wherever a notation is expected.
const variableForm = `|\$\{`

// JSONSchema gives the notation of a duration.
func (Duration) JSONSchema() *jsonschema.Schema {
	return textSchema(`^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$`+variableForm, "10s")
}

// JSONSchema gives the notation of a size; a plain number is bytes.
func (Size) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: "0"},
		textSchema(`^[0-9.]+([KMGT]iB|kB|[MGT]B|B)?$`+variableForm, "10MiB"),
	}}
}

// JSONSchema gives the notation of a signal.
func (Signal) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: "1", Maximum: "64"},
		textSchema(`^[A-Za-z0-9+]+$`+variableForm, "SIGTERM"),
	}}
}

// JSONSchema lists the levels.
func (Level) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Examples: []any{"trace", "debug", "info", "warn", "error", "off"}}
}

// JSONSchema admits what YAML may take for another type than text.
func (Text) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}}
}

// JSONSchema gives the notation of a checksum.
func (Checksum) JSONSchema() *jsonschema.Schema {
	return textSchema(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`+variableForm, "sha256:…")
}

// JSONSchema admits a string, a number, a boolean or a list.
func (ArgumentConfig) JSONSchema() *jsonschema.Schema {
	s := Text("").JSONSchema()
	s.OneOf = append(s.OneOf, &jsonschema.Schema{Type: "array", Items: Text("").JSONSchema()})
	return s
}

// JSONSchema admits the three forms of dependsOn.
func (DependsOnConfig) JSONSchema() *jsonschema.Schema {
	f := fieldsOf(reflect.TypeFor[DependencyConfig]())
	condition := &jsonschema.Schema{Type: "string", Description: f["condition"].doc}
	for _, word := range f["condition"].enum {
		condition.Enum = append(condition.Enum, word)
	}
	long := &jsonschema.Schema{Type: "object", AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties()}
	long.Properties.Set("condition", condition)
	long.Properties.Set("soft", &jsonschema.Schema{Type: "boolean", Description: f["soft"].doc})
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "array", Items: &jsonschema.Schema{Type: "string"}},
		{Type: "object", AdditionalProperties: &jsonschema.Schema{OneOf: []*jsonschema.Schema{condition, long}}},
	}}
}
