package imports

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxComposeValues bounds a compose file with its aliases expanded.
const maxComposeValues = 50_000

// entry is a key of a YAML mapping with its value and place.
type entry struct {
	line  int
	key   string
	value *yaml.Node
}

// compose carries a compose file, or a process-compose file: the one has
// `services`, the other `processes`.
func (c *converter) compose(data []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return errors.New("the file is empty")
	}
	budget := maxComposeValues
	root := resolved(doc.Content[0], &budget)
	if budget <= 0 {
		return fmt.Errorf("the file has more than %d values (aliases expanded)", maxComposeValues)
	}
	found := false
	for _, e := range entries(root) {
		switch e.key {
		case "services":
			found = true
			c.services(e.value)
		case "processes":
			found = true
			c.processes(e.value)
		case "version", "name":
		case "environment":
			env, _ := c.environment(e, "environment")
			c.defaults = newObject().set("env", env)
		default:
			if !strings.HasPrefix(e.key, "x-") {
				c.skip(e.line, e.key, "has no counterpart")
			}
		}
	}
	if !found {
		return errors.New("neither services nor processes are in it")
	}
	return nil
}

// resolved copies a tree with aliases and merge keys carried out, as long as
// the budget lasts.
func resolved(n *yaml.Node, budget *int) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
		*budget--
	}
	if *budget--; *budget <= 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
	}
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Line: n.Line}
	for i, item := range n.Content {
		item = resolved(item, budget)
		isKey := n.Kind == yaml.MappingNode && i%2 == 0
		if n.Kind == yaml.MappingNode && !isKey && n.Content[i-1].Value == "<<" {
			out.Content = out.Content[:len(out.Content)-1]
			mergeInto(out, item)
			continue
		}
		out.Content = append(out.Content, item)
	}
	return out
}

// mergeInto puts merged pairs in front: keys written later win.
func mergeInto(into, merged *yaml.Node) {
	switch merged.Kind {
	case yaml.MappingNode:
		into.Content = append(append([]*yaml.Node{}, merged.Content...), into.Content...)
	case yaml.SequenceNode:
		for i := len(merged.Content) - 1; i >= 0; i-- {
			mergeInto(into, merged.Content[i])
		}
	}
}

// entries are a mapping's pairs; of a key given twice, by merging, the last.
func entries(n *yaml.Node) []entry {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var out []entry
	index := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry{line: n.Content[i].Line, key: n.Content[i].Value, value: n.Content[i+1]}
		if at, twice := index[e.key]; twice {
			out[at] = e
			continue
		}
		index[e.key] = len(out)
		out = append(out, e)
	}
	return out
}

// stringsOf gives a list's or a single scalar's text.
func stringsOf(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return []string{n.Value}
	}
	var out []string
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			out = append(out, item.Value)
		}
	}
	return out
}

var composeVariable = regexp.MustCompile(`\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(:?-([^${}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)|\$\{`)

// composeText turns a compose file's variables into a profile's: one that is
// not set is empty there, and an error here; $$ is a literal $.
func composeText(s string) variable {
	return variable(composeVariable.ReplaceAllStringFunc(s, func(match string) string {
		m := composeVariable.FindStringSubmatch(match)
		switch {
		case match == "$$":
			return "$"
		case m[1] != "":
			return "${" + m[1] + ":-" + m[3] + "}"
		case m[4] != "":
			return "${" + m[4] + ":-}"
		}
		return "$${"
	}))
}

// composeWords is a command that compose splits without a shell.
func composeWords(n *yaml.Node) ([]variable, error) {
	list := stringsOf(n)
	if n.Kind == yaml.ScalarNode {
		var err error
		if list, err = words(n.Value); err != nil {
			return nil, err
		}
	}
	out := make([]variable, len(list))
	for i, word := range list {
		out[i] = composeText(word)
	}
	return out, nil
}

// environment reads a mapping or a list of NAME=value; names without a value
// come from peerd's own environment.
func (c *converter) environment(e entry, where string) (map[string]variable, bool) {
	env := map[string]variable{}
	for _, pair := range entries(e.value) {
		if pair.value.Tag == "!!null" {
			env[pair.key] = variable("${" + pair.key + ":-}")
			continue
		}
		env[pair.key] = composeText(pair.value.Value)
	}
	if e.value.Kind == yaml.SequenceNode {
		for _, item := range stringsOf(e.value) {
			name, value, ok := strings.Cut(item, "=")
			if !ok {
				env[name] = variable("${" + name + ":-}")
				continue
			}
			env[name] = composeText(value)
		}
	}
	if len(env) == 0 && len(e.value.Content) > 0 {
		c.skip(e.line, where, "it cannot be read")
	}
	return env, len(env) > 0
}

func (c *converter) count(e entry, where string, carry func(int)) {
	c.number(setting{line: e.line, key: e.key, value: e.value.Value}, where, carry)
}

func (c *converter) bytes(e entry, where string, carry func(string)) {
	c.size(setting{line: e.line, key: e.key, value: e.value.Value}, where, carry)
}

func (c *converter) cpus(e entry, where string, carry func(float64)) {
	n, err := strconv.ParseFloat(e.value.Value, 64)
	if err != nil || n <= 0 {
		c.skip(e.line, where, "%q is no number of CPUs", clip(e.value.Value))
		return
	}
	carry(n)
}
