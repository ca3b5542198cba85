package process_test

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/process"
)

// A component is asked to end, and its whole tree is gone by the deadline.
func ExampleDoor() {
	door, err := process.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer door.Close()

	p, err := door.Start(process.Spec{
		Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Name: "sleeper",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Release()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		fmt.Println(err)
	}
	<-p.Exited()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(p.Exit().Signal, len(p.Kill(ctx)))
	// Output: SIGTERM 0
}
