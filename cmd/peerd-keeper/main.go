// Command peerd-keeper holds the components of a peer while peerd is away. It is
// started by peerd and of no use otherwise; "peerd keeper" is the same in a
// larger program.
package main

import (
	"fmt"
	"os"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
)

func main() {
	process.Shim()
	if err := keeper.Main(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peerd-keeper:", err)
		os.Exit(1)
	}
}
