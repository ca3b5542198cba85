// Command deputy is a component that must act once, wherever it runs: it adds a
// line to a file again and again while it is the primary's, and another kind of
// line while it is not. On the command COUNT it adds a line of a third kind. It
// is for tests only.
//
//	did NAME TERM
//	refrained NAME TERM
//	counted NAME ID
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/component"
)

func main() {
	component.Main(component.Info{Name: "deputy", Version: "1.0"}, &deputy{})
}

type deputy struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Quiet bool   `json:"quiet"` // it does nothing of its own accord

	mu   sync.Mutex // guards the following field
	file *os.File
}

func (d *deputy) Configure(_ context.Context, cfg *component.Config) (err error) {
	if err := cfg.Decode(d); err != nil {
		return err
	}
	d.file, err = os.OpenFile(d.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

// Execute acts every few milliseconds.
func (d *deputy) Execute(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if d.Quiet {
			continue
		}
		what := "refrained"
		term, primary := component.Office(ctx)
		if primary {
			what = "did"
		}
		if err := d.note(what, term); err != nil {
			return err
		}
	}
}

func (d *deputy) note(what string, number uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := fmt.Fprintln(d.file, what, d.Name, number)
	return err
}

// HandleCommand answers COUNT.
func (d *deputy) HandleCommand(_ context.Context, typ string, payload json.RawMessage, _ func(any) error) (any, error) {
	if typ != "COUNT" {
		return nil, component.ErrUnknownCommand
	}
	var id uint64
	if err := json.Unmarshal(payload, &id); err != nil {
		return nil, err
	}
	return nil, d.note("counted", id)
}
