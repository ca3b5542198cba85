// Command ccpc controls a peer: it shows and changes what runs under peerd.
//
// main.go wires, app.go defines the program, args.go lets flags stand anywhere,
// and each cmd_*.go holds the verbs of one subject.
package main

//go:generate go test . -run TestDocs -update

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(mainCode()) }

// mainCode is main with its exit code as a value, for the scripts that test it.
func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	return p.run(ctx, os.Args)
}
