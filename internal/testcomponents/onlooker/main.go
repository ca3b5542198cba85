// Command onlooker holds as many pipes as its argument says, waits at each with
// a goroutine of its own, and does nothing else: what that costs is the floor
// for a keeper. It says "ready" and ends with its stdin. It is for benchmarks
// only.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
)

func main() {
	n, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "usage: onlooker PIPES")
		os.Exit(2)
	}
	var ends []*os.File
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		ends = append(ends, r, w)
		go func() { _, _ = r.Read(make([]byte, 1)) }()
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, f := range ends {
		_ = f.Close()
	}
}
