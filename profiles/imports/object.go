package imports

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// object is a YAML mapping in the order it is built. Text is escaped, so that
// no ${ of the imported file is taken for one of the profile.
type object struct{ node *yaml.Node }

// variable is text in which ${NAME} is meant for the profile.
type variable string

func newObject() *object {
	return &object{node: &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}}
}

// block writes the mapping over several lines instead of in one.
func (o *object) block() *object {
	o.node.Style = 0
	return o
}

func (o *object) empty() bool { return len(o.node.Content) == 0 }

// set adds a key, or gives it another value; empty values are left out.
func (o *object) set(key string, value any) *object {
	n := valueNode(value)
	if n == nil {
		return o
	}
	if old := o.get(key); old != nil {
		*old = *n
		return o
	}
	o.node.Content = append(o.node.Content, textNode(key, true), n)
	return o
}

// comment puts a line above the mapping's first key.
func (o *object) comment(text string) {
	if text = strings.TrimSpace(text); text != "" && !o.empty() {
		o.node.Content[0].HeadComment = "# " + strings.ReplaceAll(text, "\n", "\n# ")
	}
}

// escape keeps profiles from expanding what the imported file says.
func escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }

func valueNode(value any) *yaml.Node {
	switch v := value.(type) {
	case *object:
		if v == nil || v.empty() {
			return nil
		}
		return v.node
	case string:
		return textNode(escape(v), false)
	case variable:
		return textNode(string(v), false)
	case int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(v)}
	case float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatFloat(v, 'f', -1, 64)}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
	case []string:
		return listNode(v, escape)
	case []variable:
		return listNode(v, func(s variable) string { return string(s) })
	case map[string]string:
		return mapNode(v, escape)
	case map[string]variable:
		return mapNode(v, func(s variable) string { return string(s) })
	}
	panic(fmt.Sprintf("imports: no YAML for %T", value))
}

// textNode is a string; an empty one is left out unless it is kept.
func textNode(s string, keep bool) *yaml.Node {
	if s == "" && !keep {
		return nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

func listNode[S ~string](items []S, text func(S) string) *yaml.Node {
	if len(items) == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, item := range items {
		n.Content = append(n.Content, textNode(text(item), true))
	}
	return n
}

func mapNode[S ~string](m map[string]S, text func(S) string) *yaml.Node {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, k := range keys {
		n.Content = append(n.Content, textNode(k, true), textNode(text(m[k]), true))
	}
	return n
}

// get is the value of a key, or nil.
func (o *object) get(key string) *yaml.Node {
	for i := 0; i+1 < len(o.node.Content); i += 2 {
		if o.node.Content[i].Value == key {
			return o.node.Content[i+1]
		}
	}
	return nil
}

func (o *object) has(key string) bool { return o.get(key) != nil }
