// Command deputy is a component that must act once, wherever it runs: it adds a
// line to a file again and again while it is the primary's, and another kind of
// line while it is not. It is for tests only.
//
//	did NAME TERM
//	refrained NAME TERM
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed-04209a44/peerd/component"
)

func main() {
	component.Main(component.Info{Name: "deputy", Version: "1.0"}, &deputy{})
}

type deputy struct {
	Name string `json:"name"`
	File string `json:"file"`
}

func (d *deputy) Configure(_ context.Context, cfg *component.Config) error { return cfg.Decode(d) }

// Execute acts every few milliseconds.
func (d *deputy) Execute(ctx context.Context) error {
	file, err := os.OpenFile(d.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		what := "refrained"
		term, primary := component.Office(ctx)
		if primary {
			what = "did"
		}
		if _, err := fmt.Fprintln(file, what, d.Name, term); err != nil {
			return err
		}
	}
}
