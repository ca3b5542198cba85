// Command deeds is a component whose effects can be counted: for each DO it adds
// its payload, as a line, to the file that DEEDS names. It is for tests only.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/seed-04209a44/peerd/component"
)

func main() {
	component.Main(component.Info{Name: "deeds", Version: "1.0"}, deeds{})
}

type deeds struct{}

// Execute waits to be told to stop.
func (deeds) Execute(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// HandleCommand does a deed; then it takes its time to say so.
func (deeds) HandleCommand(_ context.Context, typ string, payload json.RawMessage, _ func(any) error) (any, error) {
	if typ != "DO" {
		return nil, component.ErrUnknownCommand
	}
	f, err := os.OpenFile(os.Getenv("DEEDS"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\n", payload); err != nil {
		return nil, err
	}
	<-time.After(rand.N(30 * time.Millisecond))
	return nil, nil
}
