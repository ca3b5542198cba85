package controller

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// writers is how many channels are made known, or taken out, side by side.
const writers = 64

// announcer makes this node's channels known to the others, and takes out those
// that are over. No channel waits for it: what the engine does not take now is
// written as soon as it does. Of several wishes for one channel the last counts.
type announcer struct {
	c *Controller

	mu     sync.Mutex // guards all below
	wishes map[string]wish
	under  int // writes
	wake   chan struct{}
	idle   chan struct{} // closed when there is nothing to do
}

// wish is what a channel's key should be.
type wish struct {
	channel *Channel // nil: it should not be there
	after   uint64   // only if it has this revision
}

func newAnnouncer(c *Controller) *announcer {
	a := &announcer{c: c, wishes: make(map[string]wish), wake: make(chan struct{}, 1), idle: make(chan struct{})}
	close(a.idle)
	return a
}

func channelKey(node, id string) string { return node + "/" + id }

// announce makes a channel of this node known.
func (a *announcer) announce(ch Channel) {
	a.want(channelKey(ch.Node, ch.ID), wish{&ch, cluster.Any})
}

// withdraw takes out a channel, unless it was written after a revision.
func (a *announcer) withdraw(node, id string, after uint64) {
	a.want(channelKey(node, id), wish{after: after})
}

func (a *announcer) want(key string, w wish) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.wishes) == 0 && a.under == 0 {
		a.idle = make(chan struct{})
	}
	a.wishes[key] = w
	signal(a.wake)
}

// take returns what there is to write.
func (a *announcer) take() map[string]wish {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.wishes
	a.wishes, a.under = make(map[string]wish), len(all)
	return all
}

// done takes back what could not be written, unless there is a later wish.
func (a *announcer) done(failed map[string]wish) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.under = 0
	for key, w := range failed {
		if _, later := a.wishes[key]; !later {
			a.wishes[key] = w
		}
	}
	if len(a.wishes) == 0 {
		close(a.idle)
	}
}

// run writes until ctx ends.
func (a *announcer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		}
		all := a.take()
		if len(all) == 0 {
			continue
		}
		failed := a.writeAll(ctx, all)
		a.done(failed)
		if len(failed) > 0 {
			a.c.later(ctx, electAgain, func() { signal(a.wake) })
		}
	}
}

// writeAll returns what could not be written; one of the reasons is told.
func (a *announcer) writeAll(ctx context.Context, all map[string]wish) map[string]wish {
	var mu sync.Mutex
	failed := make(map[string]wish)
	var g errgroup.Group
	g.SetLimit(writers)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		g.Go(func() error {
			err := a.write(ctx, key, all[key])
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[key] = all[key]
			}
			return err
		})
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		a.c.event(Event{Kind: EngineTrouble, Detail: err.Error()})
	}
	return failed
}

// write fulfils a wish. It gives up after a while, for others' to be written.
func (a *announcer) write(ctx context.Context, key string, w wish) error {
	ctx, cancel := context.WithTimeout(ctx, decideFor)
	defer cancel()
	if w.channel == nil {
		err := insist(ctx, func(ctx context.Context) error { return a.c.store.channels.Delete(ctx, key, w.after) })
		if errors.Is(err, cluster.ErrConflict) { // it is another one's by now
			return nil
		}
		return err
	}
	value, err := json.Marshal(w.channel)
	if err == nil {
		err = insist(ctx, func(ctx context.Context) error {
			_, err := a.c.store.channels.Put(ctx, key, value, w.after)
			return err
		})
	}
	if err == nil {
		a.c.registry.announced(w.channel.ID)
	}
	return err
}

// flush waits until all is written, but not for long.
func (a *announcer) flush(patience time.Duration) {
	a.mu.Lock()
	idle := a.idle
	a.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}
