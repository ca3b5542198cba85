package controller

import (
	"context"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// sendAway is what becomes of a controller that has not reached the engine for a
// whole lease: the others hold it for gone, and have elected primaries without
// it. So its own are told that they are none, and all its connectors that they
// have to look for another controller. For as long as a lease it takes none in;
// then it does again, as there may be no other one.
func (c *Controller) sendAway(ctx context.Context) {
	c.event(Event{Kind: EngineTrouble, Detail: "node " + c.node + " has not reached the engine for a whole lease: its connectors are sent to other controllers"})
	c.takesIn.Store(time.Now().Add(c.o.Lease).UnixNano())
	for _, l := range c.registry.links() {
		c.tellers.Go(func() {
			l.mu.Lock()
			last := l.wanted
			l.mu.Unlock()
			if last.Primary {
				c.tellOnce(ctx, l, exchange.Primary{Term: last.Term})
			}
			c.end(l, true, 0)
		})
	}
}
