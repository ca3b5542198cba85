package imports

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// Kind is a kind of file that can be imported.
type Kind string

// The kinds. Compose reads Docker's compose files and process-compose's.
const (
	Procfile    Kind = "procfile"
	Supervisord Kind = "supervisord"
	Systemd     Kind = "systemd"
	Compose     Kind = "compose"
)

// Kinds are all kinds, for usage texts.
var Kinds = []Kind{Procfile, Supervisord, Systemd, Compose}

// MaxSize bounds an imported file, in bytes.
const MaxSize = 1 << 20

// Result is an imported profile. NotCarried lists, in the order of the file,
// what the profile does not say; each line begins with its place.
type Result struct {
	Profile    []byte
	NotCarried []string
}

// Convert reads data, the content of the file called name. The error says
// where the file itself cannot be understood.
func Convert(kind Kind, name string, data []byte) (Result, error) {
	if len(data) > MaxSize {
		return Result{}, fmt.Errorf("%s is larger than %d bytes", name, MaxSize)
	}
	c := &converter{name: filepath.Base(name), components: newObject(), used: map[string]bool{}}
	var err error
	switch kind {
	case Procfile:
		err = c.procfile(data)
	case Supervisord:
		err = c.supervisord(data)
	case Systemd:
		err = c.systemd(data)
	case Compose:
		err = c.compose(data)
	default:
		return Result{}, fmt.Errorf("%q is no kind of file to import; %v are", kind, Kinds)
	}
	if err != nil {
		return Result{}, fmt.Errorf("cannot import %s: %w", name, err)
	}
	return c.result(kind)
}

// converter gathers a profile and what does not fit in it.
type converter struct {
	name       string
	defaults   *object
	groups     *object
	components *object
	notCarried []note
	used       map[string]bool
}

// note is one line of Result.NotCarried.
type note struct {
	line int
	text string
}

// skip lists something that has no counterpart.
func (c *converter) skip(line int, what, format string, args ...any) {
	c.notCarried = append(c.notCarried, note{line, fmt.Sprintf("%s:%d: %s: %s", c.name, line, what, fmt.Sprintf(format, args...))})
}

func (c *converter) result(kind Kind) (Result, error) {
	profile := newObject()
	profile.set("application", newObject().set("guid", componentName(strings.TrimSuffix(c.name, filepath.Ext(c.name)), "imported")))
	if c.defaults != nil {
		profile.set("defaults", c.defaults)
	}
	if c.groups != nil {
		profile.set("groups", c.groups)
	}
	profile.set("components", c.components.block())
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Imported from %s (%s).\n", c.name, kind)
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(profile.block().node); err != nil {
		return Result{}, err
	}
	sort.SliceStable(c.notCarried, func(i, j int) bool { return c.notCarried[i].line < c.notCarried[j].line })
	r := Result{}
	for _, n := range c.notCarried {
		r.NotCarried = append(r.NotCarried, n.text)
	}
	err := enc.Close()
	r.Profile = out.Bytes()
	return r, err
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// componentName makes a name that profiles accept.
func componentName(s, fallback string) string {
	parts := notInName.FindAllStringIndex(s, -1)
	var b strings.Builder
	last := 0
	for _, at := range parts {
		b.WriteString(s[last:at[0]])
		sep := s[at[0]:at[1]]
		if len(sep) != 1 || !strings.ContainsAny(sep, "._-") {
			sep = "-"
		}
		b.WriteString(sep)
		last = at[1]
	}
	b.WriteString(s[last:])
	name := b.String()
	if len(name) > 60 {
		name = name[:60]
	}
	if name = strings.Trim(name, "._-"); name == "" {
		return fallback
	}
	return name
}

// add puts a component under a name that is free.
func (c *converter) add(line int, name string, component *object) string {
	base := componentName(name, "component")
	free := base
	for i := 2; c.used[free]; i++ {
		free = fmt.Sprintf("%s-%d", base, i)
	}
	c.used[free] = true
	if free != name {
		c.skip(line, name, "the name is not allowed or taken; it is called %s", free)
	}
	c.components.set(free, component.block())
	return free
}
