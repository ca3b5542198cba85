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
	if !g.spec.Forks || g.isReady.Load() {
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
	g.mu.Unlock()
	g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawned, Pid: heir.Identity().Pid})
	select {
	case <-g.background:
	default:
		close(g.background)
	}
	return heir
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
