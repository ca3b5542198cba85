package peer

import (
	"context"
	"os"
	"time"
)

// readiness waits until a plain process counts as started, by the one way its
// profile chose.
type readiness struct {
	g *generation
}

// newReadiness prepares what must exist before the process is spawned.
func newReadiness(g *generation, _ string) (*readiness, error) {
	return &readiness{g: g}, nil
}

// env are the variables that tell the process how to say that it is ready.
func (r *readiness) env() []string { return nil }

// files become fd 3 and following of the process.
func (r *readiness) files() []*os.File { return nil }

// close frees what newReadiness prepared.
func (r *readiness) close() {}

// wait returns nil once the process is ready.
func (r *readiness) wait(ctx context.Context) error {
	ready := r.g.spec.Ready
	if check, ok := probeOf(ready.Check, r.g.spec.WorkingDirectory, r.g.environment()); ok {
		return untilPasses(ctx, check)
	}
	select {
	case <-time.After(ready.StartSeconds):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
