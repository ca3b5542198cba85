package clidoc

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

// Check compares a program's pages in docs, the documentation's folder, with
// its definition; update writes them anew. The error names the first page that
// is behind.
func Check(docs string, app *cli.App, update bool) error {
	pages := map[string]string{
		filepath.Join(docs, "cli", app.Name+".md"): Markdown(app),
		filepath.Join(docs, "man", app.Name+".1"):  Man(app),
	}
	for file, want := range pages {
		if update {
			if err := write(file, want); err != nil {
				return err
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("%s is behind the program: run `go test ./cmd/%s -run TestDocs -update`", file, app.Name)
		}
	}
	return nil
}

func write(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
