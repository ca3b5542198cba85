package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed all:templates
var templates embed.FS

// languages that templates exist for, by name, each with the files that it needs
// beside them; nil: none.
var languages = map[string]func(name string, o Options) (map[string]string, error){
	"go":     moduleFiles,
	"python": nil,
}

// Options say what is not in the name.
type Options struct {
	Checkout string    // go: folder of a local checkout of the SDK's module; "" = as found
	Version  string    // go: of the SDK's module where there is no checkout, such as "v1.2.0"
	Author   string    // for the descriptor; default "unknown"
	Now      time.Time // for the descriptor; default the present
}

// validName keeps a name usable as a module path, a file, an instance and a
// part of an address.
var validName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,62}$`)

// Languages lists what Write can write, sorted.
func Languages() []string { return slices.Sorted(maps.Keys(languages)) }

// Write makes dir with a new component and returns the files in it, sorted. dir
// must not exist or be empty. An error leaves nothing behind.
func Write(dir, name, lang string, o Options) ([]string, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("cannot name a component %q: a letter, then letters, digits and hyphens, at most 63 in all", name)
	}
	more, ok := languages[lang]
	if !ok {
		return nil, fmt.Errorf("cannot write a component in %q: there are templates for %s; other languages follow ccp/spec.md",
			lang, strings.Join(Languages(), ", "))
	}
	files, err := render(name, lang, o)
	if err != nil {
		return nil, err
	}
	if more != nil {
		added, err := more(name, o)
		if err != nil {
			return nil, err
		}
		maps.Copy(files, added)
	}
	return place(dir, files)
}

// render fills in the templates of one language.
func render(name, lang string, o Options) (map[string]string, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Author == "" {
		o.Author = "unknown"
	}
	fill := strings.NewReplacer(
		"{{Name}}", name,
		"{{program}}", strings.ToLower(name),
		"{{author}}", html.EscapeString(o.Author),
		"{{date}}", o.Now.Format("02-01-2006 15:04:05"),
	)
	files := make(map[string]string)
	root := "templates/" + lang
	err := fs.WalkDir(templates, root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := templates.ReadFile(path)
		files[strings.TrimSuffix(strings.TrimPrefix(path, root+"/"), ".tmpl")] = fill.Replace(string(text))
		return err
	})
	return files, err
}

// place writes files into a folder beside dir and renames it, so that dir is
// whole as soon as it is there.
func place(dir string, files map[string]string) (names []string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("cannot write to %s: it is not empty", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot write to %s: %w", dir, err)
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return nil, fmt.Errorf("cannot write to %s: %w", dir, err)
	}
	defer func() { _ = os.RemoveAll(made) }() // gone already where all went well
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(made, name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", name, err)
		}
		names = append(names, name)
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(made, dir); err != nil {
		return nil, fmt.Errorf("cannot write to %s: %w", dir, err)
	}
	slices.Sort(names)
	return names, nil
}
