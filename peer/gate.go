package peer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// gate is what work passes that must not be cut off in its middle. Shut, it
// lets nothing in and waits until nothing is inside. Its zero value is open.
type gate struct {
	mu     sync.Mutex // guards all following fields
	inside []string   // what each is
	opened chan struct{}
	empty  chan struct{} // while somebody shuts: closed when nothing is inside
}

// enter waits until the gate is open and goes in; the caller leaves with the
// same word. It fails when ctx ends before.
func (g *gate) enter(ctx context.Context, what string) error {
	for {
		g.mu.Lock()
		opened := g.opened
		if opened == nil {
			g.inside = append(g.inside, what)
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-opened:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// add goes in whether the gate is open or not: for what somebody inside begins,
// and what cannot wait.
func (g *gate) add(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside = append(g.inside, what)
}

func (g *gate) leave(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.inside, what)
	g.inside = slices.Delete(g.inside, i, i+1)
	if len(g.inside) == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// shut lets nothing in any more and waits until nothing is inside. When ctx ends
// before, the gate is open again and the error says what was inside. One at a
// time may shut it.
func (g *gate) shut(ctx context.Context) error {
	g.mu.Lock()
	g.opened = make(chan struct{})
	g.mu.Unlock()
	err := g.wait(ctx)
	if err != nil {
		g.open()
	}
	return err
}

// wait waits until nothing is inside. One at a time may wait.
func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	empty := make(chan struct{})
	if len(g.inside) == 0 {
		close(empty)
	} else {
		g.empty = empty
	}
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	left := slices.Compact(slices.Sorted(slices.Values(g.inside)))
	return fmt.Errorf("still under way: %s: %w", strings.Join(left, ", "), context.Cause(ctx))
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		close(g.opened)
		g.opened, g.empty = nil, nil
	}
}
