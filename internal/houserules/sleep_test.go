package houserules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoTestSleeps finds tests that wait for time instead of for what they
// wait for: they are slow on a good day and wrong on a bad one. In a
// testing/synctest bubble sleeping costs nothing and is exact, so files that
// use one may sleep; so may helpers, which poll for a condition or are the body
// of a child process.
func TestNoTestSleeps(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		bubbles := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || bubbles || !isTest(fn.Name.Name) {
				continue
			}
			for _, at := range sleeps(fn) {
				t.Errorf("%v: %s sleeps: wait for a condition, or in a synctest bubble", fset.Position(at), fn.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isTest(name string) bool {
	return slices.ContainsFunc([]string{"Test", "Fuzz", "Benchmark", "Example"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// sleeps returns where fn uses time.Sleep.
func sleeps(fn *ast.FuncDecl) (at []token.Pos) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				at = append(at, sel.Pos())
			}
		}
		return true
	})
	return at
}
