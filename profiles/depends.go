package profiles

import (
	"fmt"
	"reflect"

	"gopkg.in/yaml.v3"
)

// DependsOnConfig is `dependsOn` in any of its three forms, in the order
// written.
type DependsOnConfig struct{ edges []dependsOn }

// dependsOn is one name of dependsOn; path is where it was written.
type dependsOn struct {
	name, path string
	DependencyConfig
}

// DependencyConfig is the long form of one dependency.
type DependencyConfig struct {
	Condition string `json:"condition,omitempty" jsonschema:"default=started,enum=started,enum=healthy,enum=completed" jsonschema_description:"What the other must be."`
	Soft      bool   `json:"soft,omitempty" jsonschema:"default=false" jsonschema_description:"Orders the start only: the other's failure or end does not matter."`
}

func (c *DependsOnConfig) decodeNode(d *decoder, n *yaml.Node, path string) {
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			at := fmt.Sprintf("%s[%d]", path, i)
			var name string
			d.decode(item, at, reflect.ValueOf(&name).Elem())
			c.add(d, dependsOn{name: name, path: at, DependencyConfig: DependencyConfig{Condition: "started"}})
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.decodeEntry(d, n.Content[i].Value, n.Content[i+1], join(path, n.Content[i].Value))
		}
	default:
		d.fail(n, path, "%s stands here; a list of names or a mapping from names to conditions is expected", describe(n))
	}
}

func (c *DependsOnConfig) decodeEntry(d *decoder, name string, n *yaml.Node, path string) {
	edge := dependsOn{name: name, path: path}
	if n.Kind == yaml.ScalarNode {
		d.places[path] = place{n.Line, n.Column}
		edge.Condition = n.Value
		d.oneOf(n, path, n.Value, fieldsOf(reflect.TypeFor[DependencyConfig]())["condition"].enum)
	} else {
		d.decode(n, path, reflect.ValueOf(&edge.DependencyConfig).Elem())
	}
	c.add(d, edge)
}

func (c *DependsOnConfig) add(d *decoder, edge dependsOn) {
	for _, e := range c.edges {
		if e.name == edge.name {
			d.complain(edge.path, "%q is listed twice", edge.name)
			return
		}
	}
	c.edges = append(c.edges, edge)
}

func (a *ArgumentConfig) decodeNode(d *decoder, n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.SequenceNode:
		var items []Text
		d.decode(n, path, reflect.ValueOf(&items).Elem())
		for i, item := range items {
			if i > 0 {
				*a += ","
			}
			*a += ArgumentConfig(item)
		}
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		*a = ArgumentConfig(n.Value)
	default:
		d.fail(n, path, "%s stands here; a string, a number, a boolean or a list of strings is expected", describe(n))
	}
}
