// Command peerd is a peer: it launches and supervises the components of a
// profile on one host.
package main

import (
	"os"

	"github.com/seed-04209a44/peerd/process"
)

func main() {
	process.Shim()
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}
