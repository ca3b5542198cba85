package controller

import (
	"context"
	"time"
)

// lastWrites is how long a node that leaves tries to tell the engine so. If there
// is no majority to take it, the others find out by themselves.
const lastWrites = 2 * time.Second

// farewell is how long a node that leaves answers commands that were sent to it
// before it was known that it does: they are sent again elsewhere.
const farewell = time.Second

// leave gives the lease back when all channels are out, and waits until the other
// nodes, if there are any, know that this one has gone.
func (c *Controller) leave(ctx context.Context, giveBack context.CancelFunc, given <-chan struct{}) {
	c.announcer.flush(lastWrites)
	giveBack()
	<-given
	if len(c.registry.nodeNames()) < 2 {
		return
	}
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
