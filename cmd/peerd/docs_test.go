package main

import (
	"flag"
	"io"
	"path/filepath"
	"testing"

	"github.com/seed-04209a44/peerd/cmd/internal/clidoc"
)

var update = flag.Bool("update", false, "write docs/cli and docs/man anew")

// TestDocs: the reference page and the manual page are those of the program.
func TestDocs(t *testing.T) {
	if err := clidoc.Check(filepath.Join("..", "..", "docs"), newApp(io.Discard, io.Discard), *update); err != nil {
		t.Error(err)
	}
}
