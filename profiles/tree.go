package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds of a profile file.
const (
	maxFileSize = 1 << 20 // bytes
	maxNodes    = 50_000  // values, aliases expanded
	maxDepth    = 32      // mappings and lists within each other
	maxKey      = 128     // bytes of a key
)

// place is where a value stands.
type place struct{ line, column int }

// source is one file being read: it turns text into a plain tree of mappings,
// lists and scalars, without aliases, with ${NAME} expanded, and reports what
// is not allowed in it.
type source struct {
	file     string
	env      func(string) (string, bool)
	errs     Errors
	nodes    int
	overflow bool
	expanded map[*yaml.Node]bool // scalars whose text came from ${NAME}
	failed   map[string]bool     // fields with a fault of their own
	around   map[string]bool     // fields with a fault somewhere below them
}

func newSource(file string, env func(string) (string, bool)) *source {
	return &source{
		file: file, env: env, expanded: map[*yaml.Node]bool{},
		failed: map[string]bool{}, around: map[string]bool{},
	}
}

func (s *source) fail(n *yaml.Node, field, format string, args ...any) {
	s.errs = append(s.errs, Error{File: s.file, Line: max(n.Line, 1), Column: max(n.Column, 1), Field: field, Message: fmt.Sprintf(format, args...)})
	s.failed[field] = true
	for field != "" {
		field = parentOf(field)
		s.around[field] = true
	}
}

// faulty reports whether something at, around or below a field was found wrong
// already: what follows from it is not worth a message of its own.
func (s *source) faulty(field string) bool {
	if s.around[field] {
		return true
	}
	for ; field != ""; field = parentOf(field) {
		if s.failed[field] {
			return true
		}
	}
	return false
}

// parentOf drops the last part of a field's path.
func parentOf(field string) string {
	return field[:max(strings.LastIndexAny(field, ".["), 0)]
}

func (s *source) failAt(p place, field, format string, args ...any) {
	s.fail(&yaml.Node{Line: p.line, Column: p.column}, field, format, args...)
}

// parse gives the root mapping, or nil when there is none to speak of.
func (s *source) parse(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			s.failAt(place{}, "", "the file holds no document; a mapping with `components` is expected")
		} else {
			s.syntaxError(err)
		}
		return nil
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		s.fail(&second, "", "a second document begins here; one file holds one")
	case !errors.Is(err, io.EOF):
		s.syntaxError(err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := s.plain(doc.Content[0], "", 0)
	if root != nil && root.Kind != yaml.MappingNode {
		s.fail(root, "", "%s stands here; a mapping with `components` is expected", describe(root))
		return nil
	}
	return root
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

func (s *source) syntaxError(err error) {
	m := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	line, _ := strconv.Atoi(m[1])
	s.failAt(place{line: line}, "", "not well-formed YAML: %s", m[2])
}

// plain copies a value without aliases and merge keys. It returns nil for what
// had to be left out; the fault is then reported.
func (s *source) plain(n *yaml.Node, path string, depth int) *yaml.Node {
	if s.nodes++; s.nodes > maxNodes || depth > maxDepth {
		if !s.overflow {
			s.overflow = true
			s.fail(n, clip(path), "the document is too large: at most %d values (aliases expanded), nested at most %d deep", maxNodes, maxDepth)
		}
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return s.plain(n.Alias, path, depth+1)
	case yaml.MappingNode:
		return s.plainMapping(n, path, depth)
	case yaml.SequenceNode:
		out := copyNode(n)
		for i, item := range n.Content {
			if item = s.plain(item, fmt.Sprintf("%s[%d]", path, i), depth+1); item != nil {
				out.Content = append(out.Content, item)
			}
		}
		return out
	case yaml.ScalarNode:
		return s.plainScalar(n, path)
	}
	return nil
}

func copyNode(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: n.Kind, Tag: n.Tag, Style: n.Style, Value: n.Value, Line: n.Line, Column: n.Column}
}

func (s *source) plainMapping(n *yaml.Node, path string, depth int) *yaml.Node {
	out := copyNode(n)
	seen := map[string]*yaml.Node{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			s.fail(key, path, "%s cannot be a key; a name is expected", describe(key))
			continue
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if len(key.Value) > maxKey {
			s.fail(key, path, "the key %q is longer than %d bytes", clip(key.Value), maxKey)
			continue
		}
		if first := seen[key.Value]; first != nil {
			s.fail(key, join(path, key.Value), "the key is given twice; the first is on line %d", first.Line)
			continue
		}
		seen[key.Value] = key
		if value = s.plain(value, join(path, key.Value), depth+1); value != nil {
			out.Content = append(out.Content, copyNode(key), value)
		}
	}
	for _, value := range merged {
		s.merge(out, value, path, depth)
	}
	return out
}

// merge carries out `<<: *anchor` and `<<: [*a, *b]`: keys that are not there
// yet are taken over.
func (s *source) merge(into, value *yaml.Node, path string, depth int) {
	value = s.plain(value, path, depth+1)
	if value == nil {
		return
	}
	maps := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		maps = value.Content
	}
	for _, m := range maps {
		if m.Kind != yaml.MappingNode {
			s.fail(m, path, "<< merges mappings only; %s stands here", describe(m))
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if child(into, m.Content[i].Value) == nil {
				into.Content = append(into.Content, m.Content[i], m.Content[i+1])
			}
		}
	}
}

func (s *source) plainScalar(n *yaml.Node, path string) *yaml.Node {
	out := copyNode(n)
	switch out.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp":
	default:
		s.fail(n, path, "the tag %s is not allowed", clip(n.Tag))
		return nil
	}
	if !strings.Contains(n.Value, "$") {
		return out
	}
	text, changed, err := expand(n.Value, s.env)
	if err != nil {
		s.fail(n, path, "%v", err)
		return nil
	}
	out.Value = text
	if changed {
		s.expanded[out] = true
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0 {
			out.Tag = ""
			out.Tag = out.ShortTag()
		}
	}
	return out
}

// child is the value of a key, or nil.
func child(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// describe says what a value is, for messages about wrong types.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return "the boolean " + clip(n.Value)
	}
	return strconv.Quote(clip(n.Value))
}
