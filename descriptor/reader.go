package descriptor

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// reader takes elements apart. It keeps the first error and goes on, so that
// the code that maps elements to structs needs no error checks of its own.
type reader struct {
	file     string
	warnings []string
	err      error
}

func (r *reader) fail(e *element, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{File: r.file, Line: e.line, Column: e.column, Element: e.path, Message: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) warn(e *element, format string, args ...any) {
	at := &Error{File: r.file, Line: e.line, Column: e.column, Element: e.path, Message: fmt.Sprintf(format, args...)}
	r.warnings = append(r.warnings, at.Error())
}

// allow refuses attributes and children beyond those named, and text where
// only elements belong.
func (r *reader) allow(e *element, attrs, children string) {
	allowed := strings.Fields(attrs)
	for _, name := range sortedKeys(e.attrs) {
		if !contains(allowed, name) {
			r.fail(e, "unknown attribute %q; allowed: %s", name, listOrNone(allowed))
		}
	}
	allowed = strings.Fields(children)
	for _, child := range e.children {
		if !contains(allowed, child.name) {
			r.fail(child, "unknown element <%s> in <%s>; allowed: %s", child.name, e.name, listOrNone(allowed))
		}
	}
	if len(allowed) > 0 && strings.TrimSpace(e.text.String()) != "" {
		r.fail(e, "text is not allowed here: %q", clip(strings.TrimSpace(e.text.String())))
	}
}

// one gives the single child of that name, or nil.
func (r *reader) one(e *element, name string) *element {
	var found *element
	for _, child := range e.children {
		if child.name != name {
			continue
		}
		if found != nil {
			r.fail(child, "a second <%s>; the first is on line %d", name, found.line)
			break
		}
		found = child
	}
	return found
}

// list gives the children of the single child `outer`, all named `inner`.
func (r *reader) list(e *element, outer, attrs, inner string) (*element, []*element) {
	box := r.one(e, outer)
	if box == nil {
		return nil, nil
	}
	r.allow(box, attrs, inner)
	return box, box.children
}

// unique refuses a second element of the same name attribute.
func (r *reader) unique(elements []*element, what string, key func(*element) string) {
	seen := map[string]int{}
	for _, e := range elements {
		k := key(e)
		if line, twice := seen[k]; twice {
			r.fail(e, "a second %s %q; the first is on line %d", what, k, line)
			return
		}
		seen[k] = e.line
	}
}

// text is the trimmed content of the single child of that name.
func (r *reader) text(e *element, name string) string {
	child := r.one(e, name)
	if child == nil {
		return ""
	}
	r.allow(child, "", "")
	return strings.TrimSpace(child.text.String())
}

func (r *reader) required(e *element, name string) string {
	v, ok := e.attrs[name]
	if !ok || strings.TrimSpace(v) == "" {
		r.fail(e, "the attribute %q is missing", name)
	}
	return strings.TrimSpace(v)
}

func (r *reader) boolean(e *element, name string, def bool) bool {
	v, ok := e.attrs[name]
	if !ok {
		return def
	}
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "true":
		return true
	case "false":
		return false
	}
	r.fail(e, "%s=%q: true or false is expected", name, clip(v))
	return def
}

func (r *reader) integer(e *element, name string, def, min, max int) int {
	v, ok := e.attrs[name]
	if !ok {
		return def
	}
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil || n < min || n > max {
		r.fail(e, "%s=%q: a number from %d to %d is expected", name, clip(v), min, max)
		return def
	}
	return n
}

func attr(e *element, name, def string) string {
	if v, ok := e.attrs[name]; ok {
		return strings.TrimSpace(v)
	}
	return def
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func listOrNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// clip bounds what of a bad value goes into a message.
func clip(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}

func commaList(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
