package openapi

import (
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/seed-04209a44/peerd/control"
)

// schemas collects the components that references lead to. The first fault is
// kept in err.
type schemas struct {
	components object
	err        error
}

func newSchemas() *schemas { return &schemas{components: object{}} }

// reflector reads Go types. Requests are strict, answers may grow.
func reflector(strict, expanded bool) *jsonschema.Reflector {
	return &jsonschema.Reflector{Anonymous: true, AllowAdditionalProperties: !strict, ExpandedStruct: expanded, Namer: componentName}
}

// componentName tells types of other packages apart: JournalExit is not Exit.
func componentName(t reflect.Type) string {
	pkg := path.Base(t.PkgPath())
	if t.Name() == "" || pkg == "control" {
		return t.Name()
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + t.Name()
}

// ref is the schema of v's type, its structs as components.
func (s *schemas) ref(v any) object {
	return s.convert(reflector(false, false).ReflectFromType(typeOf(v)))
}

// failure is the response of an operation that fails.
func (s *schemas) failure() object {
	return response("What failed, why, and what to do next.", object{"type": "object", "required": []string{"error"}, "properties": object{"error": s.ref(control.Error{})}})
}

// convert moves a schema's definitions to the components.
func (s *schemas) convert(schema *jsonschema.Schema) object {
	b, err := json.Marshal(schema)
	if err != nil {
		s.err = err
		return nil
	}
	b = []byte(strings.ReplaceAll(string(b), `"#/$defs/`, `"#/components/schemas/`))
	if string(b) == "true" {
		return object{}
	}
	var o object
	if err := json.Unmarshal(b, &o); err != nil {
		s.err = err
		return nil
	}
	if defs, ok := o["$defs"].(object); ok {
		for name, def := range defs {
			s.components[name] = def
		}
	}
	delete(o, "$defs")
	delete(o, "$schema")
	return o
}

// fields are the fields of a request.
type fields struct {
	names    []string
	required []string
	schemas  object
}

// fields reads the request type of an operation.
func (s *schemas) fields(request any) *fields {
	o := s.convert(reflector(true, true).ReflectFromType(typeOf(request)))
	f := &fields{}
	f.schemas, _ = o["properties"].(object)
	for name := range f.schemas {
		f.names = append(f.names, name)
	}
	slices.Sort(f.names)
	required, _ := o["required"].([]any)
	for _, name := range required {
		f.required = append(f.required, name.(string))
	}
	slices.Sort(f.required)
	return f
}

// drop removes fields that the path holds.
func (f *fields) drop(names ...string) {
	in := func(n string) bool { return slices.Contains(names, n) }
	f.names = slices.DeleteFunc(f.names, in)
	f.required = slices.DeleteFunc(f.required, in)
}

// schema is the fields as the object of a body.
func (f *fields) schema() object {
	properties := object{}
	for _, n := range f.names {
		properties[n] = f.schemas[n]
	}
	o := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(f.required) > 0 {
		o["required"] = f.required
	}
	return o
}

// parameters are the fields as query parameters.
func (f *fields) parameters() []any {
	var list []any
	for _, n := range f.names {
		list = append(list, object{"name": n, "in": "query", "schema": f.schemas[n], "required": slices.Contains(f.required, n)})
	}
	return list
}
