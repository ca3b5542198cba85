package descriptor

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what is got as what is wanted")

// golden holds got against the file beside the descriptor.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func parseFile(t *testing.T, file string) (*Descriptor, []string, error) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return Parse(f, filepath.Base(file))
}

func eachFile(t *testing.T, pattern string, atLeast int, check func(t *testing.T, file string)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) < atLeast {
		t.Fatalf("%s: %d files, %v; at least %d are expected", pattern, len(files), err, atLeast)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".xml"), func(t *testing.T) { check(t, file) })
	}
}

// TestMalformed holds each refused descriptor against its .err file.
func TestMalformed(t *testing.T) {
	eachFile(t, "testdata/malformed/*.xml", 15, func(t *testing.T, file string) {
		d, _, err := parseFile(t, file)
		var fault *Error
		if !errors.As(err, &fault) {
			t.Fatalf("got %+v and %v, want an *Error", d, err)
		}
		if fault.Line < 1 || fault.Column < 1 {
			t.Errorf("no place: %+v", fault)
		}
		golden(t, strings.TrimSuffix(file, ".xml")+".err", err.Error()+"\n")
	})
}

// TestLoads holds each accepted descriptor against its .json file.
func TestLoads(t *testing.T) {
	eachFile(t, "testdata/loads/*.xml", 4, func(t *testing.T, file string) {
		d, warnings, err := parseFile(t, file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got := string(text) + "\n" + strings.Join(warnings, "\n") + "\n"
		golden(t, strings.TrimSuffix(file, ".xml")+".json", got)
	})
}

// TestRealFiles reads descriptors of the field, where they are at hand: they
// are not part of this repository.
func TestRealFiles(t *testing.T) {
	var files []string
	for _, dir := range []string{"../../shared", "../../../shared"} {
		found, _ := filepath.Glob(dir + "/fixtures/descriptors/*.xml")
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("the real descriptors are not beside this repository")
	}
	odd := map[string]int{"display.ServiceDescriptor.xml": 1}
	for _, file := range files {
		d, warnings, err := parseFile(t, file)
		if err != nil {
			t.Error(err)
			continue
		}
		if d.GUID == "" || len(warnings) != odd[filepath.Base(file)] {
			t.Errorf("%s: guid %q, warnings %q", file, d.GUID, warnings)
		}
	}
}

func TestSampleDescriptor(t *testing.T) {
	d, warnings, err := parseFile(t, "../samples/CCPComponent/ServiceDescriptor.xml")
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if d.CCP() == nil || !d.Supports("separateProcess") || !d.Supports("manual") || d.Supports("inMemory") {
		t.Errorf("got %+v", d.Execution)
	}
}

func TestTooLarge(t *testing.T) {
	text := `<service guid="A" version="1.0"><short-description>` + strings.Repeat("x", MaxSize) + `</short-description></service>`
	if _, _, err := Parse(strings.NewReader(text), "big.xml"); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Error(err)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken disk")
	if _, _, err := Parse(failingReader{broken}, "x.xml"); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.xml", "../samples/*/ServiceDescriptor.xml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, _, err := Parse(bytes.NewReader(data), "fuzz.xml")
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) || fault.Line < 1 || fault.Column < 1 {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		if d.GUID == "" || d.Version == "" {
			t.Fatalf("accepted without guid or version: %+v", d)
		}
		d.Loggers()
		if _, faults := d.CheckArguments(nil); len(faults) > len(d.Arguments()) {
			t.Fatal("more faults than arguments")
		}
	})
}
