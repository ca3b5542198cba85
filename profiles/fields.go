package profiles

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// field is what the tags of a Config field say.
type field struct {
	name             string
	index            int
	required         bool
	def              string
	enum             []string
	minimum, maximum float64
	minItems         int
	doc              string
}

func (f field) rangeText() string {
	switch {
	case math.IsInf(f.maximum, 1):
		return fmt.Sprintf("%v or more", f.minimum)
	case math.IsInf(f.minimum, -1):
		return fmt.Sprintf("%v or less", f.maximum)
	}
	return fmt.Sprintf("%v to %v", number(f.minimum), number(f.maximum))
}

// number writes a bound without an exponent.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

var fieldCache sync.Map // reflect.Type → []field

// orderedFields are the fields of a Config type as declared.
func orderedFields(t reflect.Type) []field {
	if cached, ok := fieldCache.Load(t); ok {
		return cached.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("json") != "" {
			fields = append(fields, parseField(f, i))
		}
	}
	fieldCache.Store(t, fields)
	return fields
}

func fieldsOf(t reflect.Type) map[string]field {
	ordered := orderedFields(t)
	byName := make(map[string]field, len(ordered))
	for _, f := range ordered {
		byName[f.name] = f
	}
	return byName
}

func parseField(sf reflect.StructField, index int) field {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	f := field{name: name, index: index, minimum: math.Inf(-1), maximum: math.Inf(1), doc: sf.Tag.Get("jsonschema_description")}
	for _, item := range strings.Split(sf.Tag.Get("jsonschema"), ",") {
		key, value, _ := strings.Cut(item, "=")
		switch key {
		case "required":
			f.required = true
		case "default":
			f.def = value
		case "enum":
			f.enum = append(f.enum, value)
		case "minimum":
			f.minimum, _ = strconv.ParseFloat(value, 64)
		case "maximum":
			f.maximum, _ = strconv.ParseFloat(value, 64)
		case "minItems":
			f.minItems, _ = strconv.Atoi(value)
		}
	}
	return f
}
