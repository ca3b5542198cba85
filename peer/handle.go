package peer

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/supervisor"
)

// Signal implements supervisor.Handle. Before the spawn it calls it off; one
// that is just being taken up gets it then.
func (g *generation) Signal(sig syscall.Signal) {
	g.stopping()
	if proc := g.victim(func() { g.Signal(sig) }); proc != nil {
		g.orderly(func() {
			if err := proc.Signal(sig); err != nil {
				g.log.Warn("cannot signal", "signal", sig.String(), "error", err)
			}
		})
	}
}

// killPatience is how long force may take before what is left is reported.
const killPatience = 5 * time.Second

// Kill implements supervisor.Handle.
func (g *generation) Kill() {
	g.stopping()
	proc := g.victim(g.Kill)
	g.dead()
	if proc == nil {
		return
	}
	g.l.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), killPatience)
		defer cancel()
		if left := proc.Kill(ctx); len(left) > 0 {
			g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvUnkillable, Detail: describeMembers(left)})
		}
	})
}

// victim returns the process to be stopped. Where there is none yet, a spawn
// that has not happened will not, and again is done when one that lives already
// is taken up.
func (g *generation) victim(again func()) *keeper.Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.proc != nil {
		return g.proc
	}
	g.missed = again
	if !g.resumed {
		g.unwanted = errUnwanted
		g.dead()
	}
	return nil
}

// takeUp owns a process that an earlier peer has spawned. What it was told before
// it was found is told now.
func (g *generation) takeUp(proc *keeper.Process, out *keeper.Capture, startedAt time.Time) {
	g.mu.Lock()
	g.proc, g.output, g.spawnedAt = proc, out, startedAt
	missed := g.missed
	g.mu.Unlock()
	if missed != nil {
		missed()
	}
}

// process returns the spawned process, nil before.
func (g *generation) process() *keeper.Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.proc
}

// Release implements supervisor.Handle.
func (g *generation) Release() {
	g.cancel()
	g.health.stop()
}

// Settled implements supervisor.Settler: the exit is on disk, and nobody else
// needs to remember it. Until then a next peer would find all of it.
func (g *generation) Settled() {
	out := g.capture()
	if out == nil {
		return
	}
	g.l.work.Go(func() {
		if err := out.Forget(); err != nil {
			g.log.Warn("the keeper cannot forget", "error", err)
		}
		g.tidy(g.l.folder(g.spec, g.number))
	})
}

func (g *generation) dropped() int64 {
	out := g.capture()
	if out == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), askKeeper)
	defer cancel()
	n, err := out.Dropped(ctx)
	if err != nil {
		g.log.Debug("cannot count the dropped bytes", "error", err)
	}
	return n
}

// loss is what of the output could not be stored; nil: nothing.
func (g *generation) loss() *keeper.Loss {
	if out := g.capture(); out != nil {
		return out.Loss()
	}
	return nil
}

// askKeeper bounds how long a question to the keeper may take that somebody
// waits for.
const askKeeper = 2 * time.Second

func (g *generation) capture() *keeper.Capture {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.output
}

func (g *generation) members() []process.Member {
	if proc := g.process(); proc != nil {
		return proc.Members()
	}
	return nil
}

// errNotSpawned says that an instance has no process.
var errNotSpawned = errors.New("it has no process")

func (g *generation) sample() (process.Usage, error) {
	proc := g.process()
	if proc == nil {
		return process.Usage{}, errNotSpawned
	}
	return proc.Usage()
}

// generationOf is the launched generation behind a view, nil at rest.
func generationOf(v *supervisor.View) *generation {
	g, _ := v.Handle().(*generation)
	return g
}

// atHand is generationOf for who asks something of its process: while that is just
// being taken up it is waited for, as long as a command may take.
func atHand(ctx context.Context, v *supervisor.View) *generation {
	g := generationOf(v)
	if g != nil {
		g.awaitFound(ctx)
	}
	return g
}

func (g *generation) awaitFound(ctx context.Context) {
	if g.found == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	select {
	case <-g.found:
	case <-g.ctx.Done():
	case <-ctx.Done():
	}
}

func (g *generation) clearOutput() error {
	out := g.capture()
	if out == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askKeeper)
	defer cancel()
	return out.Clear(ctx)
}
