package descriptor

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// ArgumentType is the type of a runtime argument.
type ArgumentType string

// The argument types. A string array is written as one string, its items
// separated by commas.
const (
	String      ArgumentType = "string"
	Integer     ArgumentType = "integer"
	Boolean     ArgumentType = "boolean"
	StringArray ArgumentType = "stringArray"
)

var argumentTypes = map[string]ArgumentType{
	"string": String, "java.lang.string": String,
	"integer": Integer, "int": Integer, "java.lang.integer": Integer,
	"boolean": Boolean, "java.lang.boolean": Boolean,
	"string[]": StringArray, "stringarray": StringArray, "string array": StringArray,
	"java.lang.string[]": StringArray, "[ljava.lang.string;": StringArray,
}

func parseArgumentType(s string) (ArgumentType, error) {
	if t, ok := argumentTypes[strings.ToLower(s)]; ok {
		return t, nil
	}
	return "", fmt.Errorf("%q is no argument type; string, Integer, Boolean and string[] are, also in their java.lang forms", clip(s))
}

// Check says why value is not of the type.
func (t ArgumentType) Check(value string) error {
	switch t {
	case Integer:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("%q is no integer", clip(value))
		}
	case Boolean:
		if low := strings.ToLower(value); low != "true" && low != "false" {
			return fmt.Errorf("%q is no boolean; true or false is expected", clip(value))
		}
	}
	return nil
}

// ArgumentError is a fault of one argument; Name is the argument's.
type ArgumentError struct{ Name, Message string }

func (e ArgumentError) Error() string { return fmt.Sprintf("argument %q: %s", e.Name, e.Message) }

// CheckArguments completes given with the descriptor's defaults and reports
// every fault: an argument it does not have, one of the wrong type, a
// mandatory one that is missing. The faults are ordered by name.
func (d *Descriptor) CheckArguments(given map[string]string) (map[string]string, []ArgumentError) {
	var faults []ArgumentError
	out := make(map[string]string, len(given))
	known := map[string]bool{}
	for _, a := range d.Arguments() {
		known[a.Name] = true
		value, ok := given[a.Name]
		if !ok && a.HasValue {
			value, ok = a.Value, true
		}
		switch {
		case ok && (value != "" || a.Type == String):
			if err := a.Type.Check(value); err != nil {
				faults = append(faults, ArgumentError{a.Name, err.Error()})
			}
			out[a.Name] = value
		case a.Mandatory:
			faults = append(faults, ArgumentError{a.Name, "is mandatory and missing"})
		}
	}
	for name := range given {
		if !known[name] {
			faults = append(faults, ArgumentError{name, "is not a runtime argument of " + d.GUID + "; " + d.argumentNames()})
		}
	}
	sort.Slice(faults, func(i, j int) bool { return faults[i].Name < faults[j].Name })
	return out, faults
}

// Arguments are the runtime arguments in the order of the file.
func (d *Descriptor) Arguments() []Argument {
	if d.Execution == nil {
		return nil
	}
	return d.Execution.RuntimeArguments
}

func (d *Descriptor) argumentNames() string {
	names := make([]string, 0, len(d.Arguments()))
	for _, a := range d.Arguments() {
		names = append(names, a.Name)
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "allowed: " + strings.Join(names, ", ")
}
