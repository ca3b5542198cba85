package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/probe"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
)

// begin brings a spawned component up: the handshake of a CCP component, the
// readiness of a plain process. ctx ends with the process.
func (g *generation) begin(ctx context.Context, ready *readiness, dir string) {
	if g.isManual() {
		g.yieldSlot() // a person takes nobody's turn
		g.log.Info("waits to be attached", "reason", g.attachHint())
	}
	if g.spec.CCP {
		if err := g.connectPatiently(ctx, dir); err != nil && g.isNews(err) {
			g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvRefused, Detail: err.Error()})
		}
		return
	}
	if g.spec.Forks && !g.inBackground(ctx) {
		return
	}
	if !ready.asks() {
		g.yieldSlot() // merely staying alive takes nobody's turn
	}
	if err := ready.wait(ctx); err == nil {
		g.comeUp()
	}
}

// comeUp tells that a plain process has started.
func (g *generation) comeUp() {
	const step = "a start"
	g.saidReady.Store(true)
	if g.l.steps.enter(g.ctx, step) != nil {
		return // the next peer tells
	}
	defer g.l.steps.leave(step)
	g.isReady.Store(true)
	g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvReady})
	g.started()
}

// connectPatiently is connect that tries again while this peer lacks what it
// takes: the component is not to blame. Its launch timeout goes on.
func (g *generation) connectPatiently(ctx context.Context, dir string) error {
	for {
		err := g.connect(ctx, dir)
		if err == nil || process.Shortage(err.Error()) == "" {
			return err
		}
		g.closeLink()
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rejoinPause):
		}
	}
}

// isNews reports whether a failure to connect says more than that the process
// has ended: where that is all, its exit is the reason.
func (g *generation) isNews(err error) bool {
	var rubbish *handshake.LineError
	if errors.As(err, &rubbish) {
		return true
	}
	select {
	case <-g.process().Exited():
		return false
	default:
		return !errors.Is(err, context.Canceled)
	}
}

// readyInterval is how often a readiness check is tried.
const (
	readyInterval = 250 * time.Millisecond
	readyTimeout  = 2 * time.Second
)

// untilPasses tries a check until it passes or ctx ends.
func untilPasses(ctx context.Context, c probe.Spec) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, readyTimeout)
		r := probe.Check(attempt, c)
		cancel()
		if r.OK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), r.Detail)
		case <-time.After(readyInterval):
		}
	}
}

// probeOf is the probe that a profile's check asks for; ok is false without one.
func probeOf(c profiles.Check, dir string, env []string) (p probe.Spec, ok bool) {
	p = probe.Spec{Exec: c.Exec, HTTP: c.HTTP, TCP: c.TCP, GRPC: c.GRPC, Dir: dir, Env: env}
	return p, len(c.Exec) > 0 || c.HTTP != "" || c.TCP != "" || c.GRPC != ""
}
