package controller

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// A lease is long, so that a node that is slow for a moment keeps it. So that one
// that has gone does not keep it long, the others ask it every now and then, and
// take its lease away when none of them reaches it.
const (
	askEvery = time.Second
	// missesAllowed is how many asks in a row may miss; that nobody serves a node's
	// subject counts twice, as it comes from the engine and not from silence.
	missesAllowed = 3
)

// presence is what a node serves for the others to see that it is there.
func (c *Controller) presence(node string) string { return c.o.Identifier + "/presence/" + node }

// servePresence answers who asks whether this node is there, or whether it
// reaches another.
func (c *Controller) servePresence(ctx context.Context) error {
	return c.o.Engine.Serve(ctx, c.presence(c.node), func(_ context.Context, about []byte, _ func([]byte) error) ([]byte, error) {
		if len(about) > 0 && !c.registry.reached(string(about)) {
			return []byte("no"), nil
		}
		return []byte("yes"), nil
	})
}

// watchPresence asks the other nodes whether they are there, until ctx ends.
func (c *Controller) watchPresence(ctx context.Context) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var wg sync.WaitGroup
		for _, name := range c.registry.nodeNames() {
			if name != c.node {
				wg.Go(func() { c.lookAfter(ctx, name) })
			}
		}
		wg.Wait()
	}
}

// lookAfter asks one node, and takes its lease if it has gone.
func (c *Controller) lookAfter(ctx context.Context, name string) {
	_, err := c.askPresence(ctx, name, "")
	revision, suspect := c.registry.missed(name, err)
	if !suspect || ctx.Err() != nil || c.reachedByAnother(ctx, name) {
		return
	}
	timed, cancel := context.WithTimeout(ctx, decideFor)
	defer cancel()
	// If it has renewed its lease meanwhile, the next look will tell.
	err = c.store.takeLease(timed, name, revision)
	if err != nil && !errors.Is(err, cluster.ErrConflict) && ctx.Err() == nil {
		c.event(Event{Kind: EngineTrouble, Detail: "cannot take the lease of node " + name + ", which has gone: " + err.Error()})
	}
}

// reachedByAnother asks the nodes that are there whether they reach another.
func (c *Controller) reachedByAnother(ctx context.Context, name string) bool {
	for _, third := range c.registry.nodeNames() {
		if third == c.node || third == name || !c.registry.reached(third) {
			continue
		}
		if answer, err := c.askPresence(ctx, third, name); err == nil && answer == "yes" {
			return true
		}
	}
	return false
}

func (c *Controller) askPresence(ctx context.Context, name, about string) (string, error) {
	timed, cancel := context.WithTimeout(ctx, askEvery)
	defer cancel()
	answer, err := c.o.Engine.Request(timed, c.presence(name), []byte(about), nil)
	return string(answer), err
}

// missed takes in whether a node answered. It tells whether the node seems to
// have gone, and the revision of its lease.
func (r *registry) missed(name string, err error) (revision uint64, suspect bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.nodes[name]
	switch {
	case m == nil:
		return 0, false
	case err == nil:
		m.misses = 0
	case errors.Is(err, cluster.ErrNobody):
		m.misses += 2
	default:
		m.misses++
	}
	return m.revision, m.misses > missesAllowed && m.revision != 0
}

// reached tells whether a node is there and answered when it was last asked.
func (r *registry) reached(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.nodes[name]
	return m != nil && m.misses == 0
}
