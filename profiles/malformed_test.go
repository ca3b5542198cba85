package profiles_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/seed-04209a44/peerd/profiles"
)

var rewrite = flag.Bool("rewrite", false, "write what is got as what is wanted")

// options are the same on every machine.
func options() profiles.LoadOptions {
	return profiles.LoadOptions{
		Env: func(name string) (string, bool) {
			value, ok := map[string]string{"PATH": "/usr/bin:/bin", "HOME": "/home/u", "SET": "set"}[name]
			return value, ok
		},
		Hostname: "host", UID: 1000, GOOS: "linux",
		LookupUser:  func(string) (uint32, error) { return 0, errors.New("unknown user") },
		LookupGroup: func(string) (uint32, error) { return 4, nil },
	}
}

// unpack writes an archive's files, except `want`, and gives what to load:
// profile.yaml where there is one, else the folder.
func unpack(t *testing.T, archive *txtar.Archive) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = dir
	for _, f := range archive.Files {
		if f.Name == "want" {
			continue
		}
		if f.Name == "profile.yaml" {
			path = filepath.Join(dir, f.Name)
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, path
}

// TestMalformed holds each archive's profile against the faults it lists:
// all of them, with their places.
func TestMalformed(t *testing.T) {
	files, err := filepath.Glob("testdata/malformed/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d malformed profiles, %v; at least 20 are expected", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir, path := unpack(t, archive)
			plan, err := profiles.Load(path, options())
			if err == nil {
				t.Fatalf("accepted: %+v", plan)
			}
			got := strings.ReplaceAll(strings.ReplaceAll(err.Error(), dir+"/", ""), dir, "DIR") + "\n"
			want := &archive.Files[len(archive.Files)-1]
			if *rewrite {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want.Data) {
				t.Errorf("got:\n%swant:\n%s", got, want.Data)
			}
		})
	}
}
