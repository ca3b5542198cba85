package profiles

import (
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// nodeDecoder is a value that takes several forms in YAML.
type nodeDecoder interface {
	decodeNode(d *decoder, n *yaml.Node, path string)
}

// decoder fills the Config types from a plain tree, by their tags, and notes
// where each value stands.
type decoder struct {
	*source
	places map[string]place
}

// at is the place of a field, or of the nearest field around it that was
// written.
func (d *decoder) at(path string) place {
	for {
		if p, ok := d.places[path]; ok || path == "" {
			return p
		}
		path = parentOf(path)
	}
}

// has reports whether the field was written.
func (d *decoder) has(path string) bool { _, ok := d.places[path]; return ok }

// complain reports what a decoded field means wrongly, unless the field could
// not even be decoded.
func (d *decoder) complain(path, format string, args ...any) {
	if d.faulty(path) {
		return
	}
	d.failAt(d.at(path), path, format, args...)
}

func (d *decoder) decode(n *yaml.Node, path string, v reflect.Value) {
	d.places[path] = place{n.Line, n.Column}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, path, v.Elem())
		return
	}
	switch target := v.Addr().Interface().(type) {
	case nodeDecoder:
		target.decodeNode(d, n, path)
		return
	case scalar:
		d.scalar(n, path, target)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if d.kind(n, path, yaml.MappingNode, "a mapping") {
			d.structure(n, path, v)
		}
	case reflect.Map:
		if d.kind(n, path, yaml.MappingNode, "a mapping") {
			d.mapping(n, path, v)
		}
	case reflect.Slice:
		if d.kind(n, path, yaml.SequenceNode, "a list") {
			d.list(n, path, v)
		}
	case reflect.Interface:
		if value := d.free(n, path); value != nil {
			v.Set(reflect.ValueOf(value))
		}
	default:
		d.basic(n, path, v)
	}
}

func (d *decoder) kind(n *yaml.Node, path string, want yaml.Kind, what string) bool {
	if n.Kind != want {
		d.fail(n, path, "%s stands here; %s is expected", describe(n), what)
		return false
	}
	return true
}

func (d *decoder) scalar(n *yaml.Node, path string, target scalar) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		d.fail(n, path, "%s stands here; a single value is expected", describe(n))
		return
	}
	if err := target.set(n.Value); err != nil {
		d.fail(n, path, "%v", err)
	}
}

func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value) {
	fields := fieldsOf(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, known := fields[key.Value]
		if !known {
			d.fail(key, join(path, key.Value), "unknown key%s", didYouMean(key.Value, keysOf(fields)))
			continue
		}
		before := len(d.errs)
		d.decode(value, join(path, key.Value), v.Field(f.index))
		if len(d.errs) == before {
			d.check(value, join(path, key.Value), f, v.Field(f.index))
		}
	}
	d.fill(v, n, path)
}

// fill sets the defaults of what was not written and reports what is required.
func (d *decoder) fill(v reflect.Value, n *yaml.Node, path string) {
	for _, f := range orderedFields(v.Type()) {
		if child(n, f.name) != nil {
			continue
		}
		field := v.Field(f.index)
		switch {
		case f.required:
			d.fail(n, path, "%s is missing", f.name)
		case f.def != "":
			setDefault(field, f.def)
		case field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[DependsOnConfig]():
			d.fill(field, &yaml.Node{Kind: yaml.MappingNode}, join(path, f.name))
		}
	}
}

// setDefault sets a field from its tag; the tags are checked by a test.
func setDefault(field reflect.Value, text string) {
	if s, ok := field.Addr().Interface().(scalar); ok {
		if err := s.set(text); err != nil {
			panic("profiles: default tag: " + err.Error())
		}
		return
	}
	if err := yaml.Unmarshal([]byte(text), field.Addr().Interface()); err != nil {
		panic("profiles: default tag: " + err.Error())
	}
}

// check holds a decoded value against its field's bounds.
func (d *decoder) check(n *yaml.Node, path string, f field, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if len(f.enum) > 0 && v.Kind() == reflect.String {
		d.oneOf(n, path, v.String(), f.enum)
	}
	if f.minItems > 0 && v.Kind() == reflect.Slice && v.Len() < f.minItems {
		d.fail(n, path, "the list is empty; at least %d is expected", f.minItems)
	}
	var number float64
	switch {
	case v.CanInt():
		number = float64(v.Int())
	case v.CanUint():
		number = float64(v.Uint())
	case v.CanFloat():
		number = v.Float()
	default:
		return
	}
	if number < f.minimum || number > f.maximum {
		d.fail(n, path, "%s is out of range; %s is allowed", clip(n.Value), f.rangeText())
	}
}

func (d *decoder) oneOf(n *yaml.Node, path, value string, allowed []string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	d.fail(n, path, "%q is not allowed; %s is expected", clip(value), alternatives(allowed))
}

func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		item := reflect.New(v.Type().Elem()).Elem()
		d.decode(n.Content[i+1], join(path, key.Value), item)
		v.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value) {
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.decode(item, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}

// basic decodes strings, numbers and booleans. A number or boolean may come
// from ${NAME}, even in quotes.
func (d *decoder) basic(n *yaml.Node, path string, v reflect.Value) {
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode {
		tag = ""
	}
	loose := d.expanded[n]
	switch v.Kind() {
	case reflect.String:
		if tag == "!!str" || tag == "!!timestamp" || tag != "" && loose {
			v.SetString(n.Value)
			return
		}
		hint := ""
		if tag == "!!int" || tag == "!!float" || tag == "!!bool" {
			hint = "; put it in quotes"
		}
		d.fail(n, path, "%s stands here; a string is expected%s", describe(n), hint)
	case reflect.Bool:
		if b, err := strconv.ParseBool(n.Value); err == nil && (tag == "!!bool" || loose) {
			v.SetBool(b)
			return
		}
		d.fail(n, path, "%s stands here; true or false is expected", describe(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, 64)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && (tag == "!!int" || tag == "!!float" || loose) {
			v.SetFloat(f)
			return
		}
		d.fail(n, path, "%s stands here; a number is expected", describe(n))
	default:
		d.integer(n, path, v, tag == "!!int" || tag != "" && loose)
	}
}

func (d *decoder) integer(n *yaml.Node, path string, v reflect.Value, allowed bool) {
	if allowed && v.CanUint() {
		if u, err := strconv.ParseUint(n.Value, 0, v.Type().Bits()); err == nil {
			v.SetUint(u)
			return
		}
	}
	if allowed && v.CanInt() {
		if i, err := strconv.ParseInt(n.Value, 0, v.Type().Bits()); err == nil {
			v.SetInt(i)
			return
		}
	}
	d.fail(n, path, "%s stands here; a whole number is expected", describe(n))
}

// free decodes a value of `config` into what JSON can carry.
func (d *decoder) free(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = d.free(n.Content[i+1], join(path, n.Content[i].Value))
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = d.free(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return list
	}
	if n.ShortTag() == "!!timestamp" || n.ShortTag() == "!!str" {
		return n.Value
	}
	var value any
	if err := n.Decode(&value); err != nil {
		d.fail(n, path, "%s cannot be understood", describe(n))
	}
	if f, ok := value.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		d.fail(n, path, "%s cannot be carried in JSON", describe(n))
		return nil
	}
	return value
}

// alternatives writes a choice: "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func keysOf(fields map[string]field) []string {
	keys := make([]string, 0, len(fields))
	for k := range fields {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
