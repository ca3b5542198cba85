package peer

import (
	"context"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/lifecycle"
)

// heir waits for a program that puts itself into the background and returns
// the process that it goes on as. It is nil when there is none: the program
// forks no more once it is ready, or has failed.
func (g *generation) heir(proc *keeper.Process) *keeper.Process {
	if !g.mayFork() {
		return nil
	}
	select {
	case <-proc.Exited():
	case <-g.ctx.Done():
		return nil
	}
	if g.isReady.Load() || proc.Exit().Code != 0 {
		return nil
	}
	child, err := g.l.door.Heir(proc.Process)
	if err != nil {
		g.log.Warn("cannot follow the program into the background", "error", err)
	}
	if child == nil {
		return nil
	}
	heir := &keeper.Process{Process: child}
	g.mu.Lock()
	g.proc = heir
	close(g.background)
	g.mu.Unlock()
	g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawned, Pid: heir.Identity().Pid})
	return heir
}

// mayFork reports whether the program is still to put itself into the
// background.
func (g *generation) mayFork() bool {
	return g.spec.Forks && !g.isReady.Load() && !g.isInBackground()
}

func (g *generation) isInBackground() bool {
	select {
	case <-g.background:
		return true
	default:
		return false
	}
}

// inBackground waits until the program has put itself into the background.
func (g *generation) inBackground(ctx context.Context) bool {
	select {
	case <-g.background:
		return true
	case <-ctx.Done():
		return false
	}
}
