package imports_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/profiles/imports"
)

var rewrite = flag.Bool("rewrite", false, "write what is got as what is wanted")

// load sees that a profile loads, in a folder where what it names exists.
func load(t *testing.T, profile []byte) error {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"profile.yaml": string(profile), "web.env": "A=1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := profiles.Load(filepath.Join(dir, "profile.yaml"), profiles.LoadOptions{
		Env: func(name string) (string, bool) { return "/home/u", name == "HOME" },
	})
	return err
}

// TestImports holds each archive's file against the profile and the list it
// gives; the archive's comment is the kind. The profile must load.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, profile, list := archive.Files[0], &archive.Files[1], &archive.Files[2]
			kind := imports.Kind(strings.TrimSpace(string(archive.Comment)))
			r, err := imports.Convert(kind, input.Name, input.Data)
			if err != nil {
				t.Fatal(err)
			}
			if err := load(t, r.Profile); err != nil {
				t.Errorf("the profile does not load:\n%v\n%s", err, r.Profile)
			}
			notCarried := strings.Join(r.NotCarried, "\n") + "\n"
			if *rewrite {
				profile.Data, list.Data = r.Profile, []byte(notCarried)
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if string(r.Profile) != string(profile.Data) {
				t.Errorf("got:\n%s\nwant:\n%s", r.Profile, profile.Data)
			}
			if notCarried != string(list.Data) {
				t.Errorf("got:\n%s\nwant:\n%s", notCarried, list.Data)
			}
		})
	}
}

func TestNotImportable(t *testing.T) {
	for _, c := range []struct {
		kind       imports.Kind
		text, want string
	}{
		{imports.Procfile, "# nothing\n", "no line of the form"},
		{imports.Supervisord, "[supervisord]\n", "no [program:x] section"},
		{imports.Supervisord, "command=x\n", "line 1: \"command=x\" stands before any [section]"},
		{imports.Supervisord, "[program:x\n", "line 1: \"[program:x\" is no section"},
		{imports.Supervisord, "[program:x]\nnonsense\n", "line 2: \"nonsense\" is not of the form key = value"},
		{imports.Systemd, "[Timer]\nOnCalendar=daily\n", "only service units"},
		{imports.Systemd, "[Service]\nType=simple\n", "no ExecStart"},
		{imports.Compose, "services: [", "did not find expected"},
		{imports.Compose, "version: '3'\n", "neither services nor processes"},
		{imports.Compose, "", "the file is empty"},
		{"launchd", "", "is no kind of file to import"},
		{imports.Procfile, strings.Repeat("x", imports.MaxSize+1), "larger than"},
	} {
		_, err := imports.Convert(c.kind, "file", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.kind, err, c.want)
		}
	}
}

func FuzzConvert(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSpace(string(archive.Comment)), archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		r, err := imports.Convert(imports.Kind(kind), "file", data)
		if err == nil && len(r.Profile) == 0 {
			t.Fatal("neither a profile nor an error")
		}
	})
}

func ExampleConvert() {
	r, err := imports.Convert(imports.Procfile, "Procfile", []byte("web: ./server --port 80\n"))
	fmt.Print(string(r.Profile), strings.Join(r.NotCarried, "\n"), "\n", err)
	// Output:
	// # Imported from Procfile (procfile).
	// application: {guid: Procfile}
	// components:
	//   web:
	//     command: [./server, --port, "80"]
	// Procfile:1: foreman: ends everything when one process ends; peerd restarts that one (see restart and groups)
	// Procfile:1: .env: a .env file beside a Procfile is not read; name it in envFile
	// <nil>
}
