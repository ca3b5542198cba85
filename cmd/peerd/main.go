// Command peerd is a peer: it launches and supervises the components of a
// profile on one host.
package main

import (
	"os"

	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/standin"
)

func main() {
	process.Shim()
	standin.Main()
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}
