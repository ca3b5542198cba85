package profiles

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// Load reads a profile file, or a folder of them, and resolves it into a Plan.
// Every fault is reported at once as Errors; other errors mean that the path
// itself could not be read. Load blocks on the file system only and keeps
// nothing: it may be called from any goroutine.
func Load(path string, o LoadOptions) (*Plan, error) {
	files, folder, err := profileFiles(path)
	if err != nil {
		return nil, fmt.Errorf("cannot load profile: %w", err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		return nil, fmt.Errorf("cannot load profile: %w", err)
	}
	l := newLoader(o, realDisk{}, here)
	if folder != "" {
		l.files = append(l.files, l.abs(folder))
	}
	for _, file := range files {
		l.load(file)
	}
	return l.plan()
}

// profileFiles lists what to read. Hidden files, such as an editor's, do not
// count.
func profileFiles(path string) (files []string, folder string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if !info.IsDir() {
		return []string{path}, "", nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".yaml" && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, "", fmt.Errorf("the folder %s holds no *.yaml file", path)
	}
	return files, path, nil
}

// loader gathers documents, then resolves them.
type loader struct {
	opts        LoadOptions
	disk        disk
	here        string // what relative paths of files to load start from
	documents   []*document
	descriptors map[string]loadedDescriptor
	files       []string
	warnings    []string
	errs        Errors
}

func newLoader(o LoadOptions, d disk, here string) *loader {
	return &loader{opts: o.withDefaults(), disk: d, here: here, descriptors: map[string]loadedDescriptor{}}
}

func (l *loader) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.here, path)
}

// load reads and decodes one profile file.
func (l *loader) load(file string) {
	data, err := l.read(l.abs(file))
	if err != nil {
		l.errs = append(l.errs, Error{File: file, Line: 1, Column: 1, Message: err.Error()})
		return
	}
	l.document(file, data)
}

// document is one decoded file. Its name in messages is as the user gave it;
// dir is absolute.
type document struct {
	*decoder
	dir        string
	cfg        ProfileConfig
	app        Application
	components []*component
}

// component is one entry of `components` on its way to Specs.
type component struct {
	doc   *document
	name  string
	key   string // application/name
	path  string // components.name
	place place
	cfg   *ComponentConfig
	ok    bool // decoded without a fault
}

// field is the path of one of the component's keys; of itself for "".
func (c *component) field(name string) string {
	if name == "" {
		return c.path
	}
	return join(c.path, name)
}

func (c *component) complain(name, format string, args ...any) {
	c.doc.complain(c.field(name), format, args...)
}

func (c *component) has(name string) bool { return c.doc.has(c.field(name)) }

// read gives a file's content within the bound and notes that it was read.
func (l *loader) read(path string) ([]byte, error) {
	l.files = append(l.files, path)
	f, err := l.disk.open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxFileSize)
	}
	return data, nil
}

// document decodes one file and adds it to the others.
func (l *loader) document(file string, data []byte) {
	s := newSource(file, l.opts.Env)
	doc := &document{decoder: &decoder{source: s, places: map[string]place{}}, dir: filepath.Dir(l.abs(file))}
	l.documents = append(l.documents, doc)
	root := s.parse(data)
	if root == nil {
		return
	}
	components, defaults := child(root, "components"), child(root, "defaults")
	doc.decode(without(root, "components"), "", reflect.ValueOf(&doc.cfg).Elem())
	l.application(doc)
	if components == nil {
		return
	}
	doc.places["components"] = place{components.Line, components.Column}
	if !doc.kind(components, "components", yaml.MappingNode, "a mapping from names to components") {
		return
	}
	for i := 0; i+1 < len(components.Content); i += 2 {
		doc.component(components.Content[i], components.Content[i+1], defaults)
	}
}

func without(m *yaml.Node, key string) *yaml.Node {
	out := copyNode(m)
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value != key {
			out.Content = append(out.Content, m.Content[i], m.Content[i+1])
		}
	}
	return out
}

func (doc *document) component(key, value, defaults *yaml.Node) {
	c := &component{
		doc: doc, name: key.Value, key: doc.app.GUID + "/" + key.Value,
		path: "components." + key.Value, place: place{key.Line, key.Column}, cfg: &ComponentConfig{},
	}
	before := len(doc.errs)
	if err := checkName(key.Value); err != nil {
		doc.fail(key, c.path, "%v", err)
	}
	if defaults != nil && defaults.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode {
		value = mergeDefaults(defaults, value, "")
	}
	doc.decode(value, c.path, reflect.ValueOf(c.cfg).Elem())
	c.ok = len(doc.errs) == before
	doc.components = append(doc.components, c)
}

// mergeDefaults lays over on base: mappings key by key, anything else
// replaced. `ready` and `health` name one check each, so the check named by
// over drops those of base; dependsOn is replaced whole.
func mergeDefaults(base, over *yaml.Node, key string) *yaml.Node {
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode || key == "ready" || key == "dependsOn" {
		return over
	}
	if key == "health" {
		for _, check := range []string{"exec", "http", "tcp", "grpc", "ccp"} {
			if child(over, check) != nil {
				for _, drop := range []string{"exec", "http", "tcp", "grpc", "ccp"} {
					base = without(base, drop)
				}
			}
		}
	}
	out := copyNode(over)
	for i := 0; i+1 < len(over.Content); i += 2 {
		name, value := over.Content[i], over.Content[i+1]
		if inherited := child(base, name.Value); inherited != nil {
			value = mergeDefaults(inherited, value, join(key, name.Value))
		}
		out.Content = append(out.Content, name, value)
	}
	for i := 0; i+1 < len(base.Content); i += 2 {
		if child(over, base.Content[i].Value) == nil {
			out.Content = append(out.Content, base.Content[i], base.Content[i+1])
		}
	}
	return out
}

// plan resolves the documents; Errors holds every fault of all of them.
func (l *loader) plan() (*Plan, error) {
	p := l.resolve()
	for _, doc := range l.documents {
		l.errs = append(l.errs, doc.errs...)
	}
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	sort.Strings(l.files)
	p.Files = compact(l.files)
	p.Warnings = compact(l.warnings)
	p.Hash = p.hash()
	return p, nil
}

// compact drops repetitions that stand side by side or far apart, keeping the
// order of the first ones.
func compact(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
