package houserules

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what go list says of a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// room returns the room p belongs to; "" for a path outside the house.
func room(path string) string {
	inside, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	best := ""
	for name := range floors {
		if (inside == name || strings.HasPrefix(inside, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	return best
}

// packages lists the house for one operating system.
func packages(t *testing.T, goos string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// eachImport visits every import of the house's own code, on every platform.
func eachImport(t *testing.T, visit func(from, room, imported string)) {
	t.Helper()
	for _, goos := range []string{"linux", "darwin"} {
		for _, p := range packages(t, goos) {
			for _, imported := range p.Imports {
				visit(p.ImportPath, room(p.ImportPath), imported)
			}
		}
	}
}

func within(path, library string) bool {
	return path == library || strings.HasPrefix(path, library+"/")
}

func TestEveryPackageHasAFloor(t *testing.T) {
	for _, p := range packages(t, "linux") {
		if room(p.ImportPath) == "" && !strings.HasPrefix(p.ImportPath, module+"/internal/") {
			t.Errorf("%s is in no room: give it a floor in rules_test.go", p.ImportPath)
		}
	}
}

func TestImportsGoDown(t *testing.T) {
	eachImport(t, func(from, here, imported string) {
		there := room(imported)
		switch {
		case there == "" || there == here || here == "":
		case floors[there] < floors[here]:
		case floors[there] == floors[here] && neighbours[[2]string{here, there}] != "":
		default:
			t.Errorf("%s (floor %d) imports %s (floor %d): imports go down; declare an interface here, or move the code",
				from, floors[here], imported, floors[there])
		}
	})
}

// TestInternalIsForTests: what lies in internal/ without a floor helps tests,
// so nothing that is shipped may stand on it.
func TestInternalIsForTests(t *testing.T) {
	eachImport(t, func(from, here, imported string) {
		if here != "" && within(imported, module+"/internal") && room(imported) == "" {
			t.Errorf("%s imports %s: internal/ helps tests only; give the code a room", from, imported)
		}
	})
}

func TestConfinedLibraries(t *testing.T) {
	eachImport(t, func(from, here, imported string) {
		for _, c := range confined {
			if here != "" && within(imported, c.library) && !slices.Contains(c.rooms, here) {
				t.Errorf("%s imports %s, which only %v may: %s", from, imported, c.rooms, c.why)
			}
		}
	})
}

func TestGroundFloorIsStandardLibrary(t *testing.T) {
	eachImport(t, func(from, here, imported string) {
		first, _, _ := strings.Cut(imported, "/")
		outside := strings.Contains(first, ".") && !strings.HasPrefix(imported, module)
		known := slices.ContainsFunc(ground, func(g string) bool { return within(imported, g) })
		if floors[here] == 1 && outside && !known {
			t.Errorf("%s imports %s: the ground floor stands on the standard library and %v", from, imported, ground)
		}
	})
}

// TestSmallProgramsStaySmall: what is linked costs memory, and may begin to work
// by itself.
func TestSmallProgramsStaySmall(t *testing.T) {
	for program, allowed := range small {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+"/"+program).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, linked := range strings.Fields(string(out)) {
			if linked == module+"/"+program {
				continue
			}
			inside := strings.TrimPrefix(linked, module+"/")
			if !slices.Contains(allowed, inside) && !slices.ContainsFunc(allowed, func(a string) bool { return !within(linked, module) && within(linked, a) }) {
				t.Errorf("%s links %s: it is to stay small, and needs no more than %v", program, linked, allowed)
			}
		}
	}
}

func TestPureRooms(t *testing.T) {
	eachImport(t, func(from, here, imported string) {
		if allowed, is := pure[here]; is && !slices.Contains(allowed, imported) {
			t.Errorf("%s imports %s: it is pure, and needs no more than %v", from, imported, allowed)
		}
	})
}

// TestDependenciesAreExplained keeps docs/dependencies.md complete: a library
// nobody can give a reason for is one too many.
func TestDependenciesAreExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			explained = append(explained, name)
		}
	}
	missing := map[string]string{}
	for _, p := range packages(t, "linux") {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			first, _, _ := strings.Cut(imported, "/")
			known := slices.ContainsFunc(explained, func(m string) bool { return within(imported, m) })
			if strings.Contains(first, ".") && !within(imported, module) && !known {
				missing[imported] = p.ImportPath
			}
		}
	}
	for imported, from := range missing {
		t.Errorf("%s imports %s, which docs/dependencies.md does not explain", from, imported)
	}
}
