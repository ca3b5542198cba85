//go:build !linux || !amd64

// Command otherclock runs programs under a wall clock that tests can set; here
// it cannot.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "otherclock: only on linux/amd64")
	os.Exit(2)
}
