package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// store is what the controllers of a fleet share, in the terms of this package.
type store struct {
	nodes     cluster.Bucket // name → incarnation; leases
	channels  cluster.Bucket // node/ID → Channel
	primaries cluster.Bucket // target → primary; its revision is the term
	batches   cluster.Bucket // see batchview.go
	leases    cluster.Bucket // partition → node
}

func openStore(ctx context.Context, o Options) (store, error) {
	var s store
	for _, b := range []struct {
		to   *cluster.Bucket
		name string
		o    cluster.BucketOptions
	}{
		{&s.nodes, "nodes", cluster.BucketOptions{TTL: o.Lease}},
		{&s.channels, "channels", cluster.BucketOptions{}},
		{&s.primaries, "primaries", cluster.BucketOptions{Durable: true}}, // terms must not begin anew
		{&s.batches, "batches", cluster.BucketOptions{Durable: true}},
		{&s.leases, "leases", cluster.BucketOptions{TTL: o.Lease}},
	} {
		var err error
		if *b.to, err = o.Engine.Bucket(ctx, o.Identifier+"-"+b.name, b.o); err != nil {
			return s, fmt.Errorf("cannot start controller %q: %w", o.Identifier, err)
		}
	}
	return s, nil
}

// Times of insist.
const (
	tryFor   = time.Second
	tryAgain = 100 * time.Millisecond
)

// insist has the engine do what must be done soon, though it may have to find a
// new leader first: what is asked of one that has gone is never answered, so it is
// asked again well before ctx ends. For reads, and for writes after a revision: of
// one that was taken, and not answered, the next try says cluster.ErrConflict.
func insist(ctx context.Context, do func(context.Context) error) error {
	for {
		try, cancel := context.WithTimeout(ctx, tryFor)
		err := do(try)
		cancel()
		if !errors.Is(err, cluster.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		pause := time.NewTimer(tryAgain)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func (s store) appoint(ctx context.Context, target string, p primary, after uint64) (revision uint64, err error) {
	value, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	err = insist(ctx, func(ctx context.Context) error {
		revision, err = s.primaries.Put(ctx, target, value, after)
		return err
	})
	return revision, err
}

func (s store) vacate(ctx context.Context, target string, after uint64) error {
	return insist(ctx, func(ctx context.Context) error { return s.primaries.Delete(ctx, target, after) })
}

// putLease writes the lease of this node.
func (s store) putLease(ctx context.Context, node string, me []byte, after uint64) (revision uint64, err error) {
	err = insist(ctx, func(ctx context.Context) error {
		revision, err = s.nodes.Put(ctx, node, me, after)
		return err
	})
	return revision, err
}

// takeLease takes the lease of a node that has gone, unless it has renewed it.
func (s store) takeLease(ctx context.Context, node string, after uint64) error {
	return insist(ctx, func(ctx context.Context) error { return s.nodes.Delete(ctx, node, after) })
}

// exists tells whether a primary's channel and its node are there.
func (s store) exists(ctx context.Context, p primary) (bool, error) {
	for _, at := range []struct {
		b   cluster.Bucket
		key string
	}{{s.nodes, p.Node}, {s.channels, p.Node + "/" + p.Channel}} {
		switch err := insist(ctx, func(ctx context.Context) error { _, err := at.b.Get(ctx, at.key); return err }); {
		case errors.Is(err, cluster.ErrNotFound):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// beginLease makes this node known. Nothing is decided before that.
func (c *Controller) beginLease(ctx context.Context, me []byte) (uint64, error) {
	revision, err := c.store.nodes.Put(ctx, c.node, me, cluster.Any)
	if err != nil {
		return 0, fmt.Errorf("cannot begin the lease of node %s: %w", c.node, err)
	}
	c.leased.Store(true)
	return revision, nil
}

// live keeps this node's lease until ctx ends, and then gives it back. While the
// engine does not take it nothing is decided; when the lease is over the channels
// are sent away.
func (c *Controller) live(ctx context.Context, me []byte, revision uint64) error {
	tick := time.NewTicker(c.o.Lease / 3)
	defer tick.Stop()
	held, gone := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrites)
			defer cancel()
			_ = c.store.nodes.Delete(last, c.node, cluster.Any) // else it expires
			return nil
		case <-c.lapsed:
		case <-tick.C:
		}
		next, err := c.renew(ctx, me, revision)
		switch {
		case err == nil:
			revision, held, gone = next, time.Now(), false
			c.takesIn.Store(0)
		case ctx.Err() == nil:
			c.leased.Store(false)
			if over := time.Since(held) >= c.o.Lease; over && !gone {
				gone = true
				c.sendAway(ctx)
			}
			c.event(Event{Kind: EngineTrouble, Detail: "cannot renew the lease of node " + c.node + ": " + err.Error()})
		}
	}
}

// renew renews the lease. If it has been lost, because this process was paused or
// nobody could reach it, the others have taken its channels out: they are made
// known again.
func (c *Controller) renew(ctx context.Context, me []byte, after uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Lease/3)
	defer cancel()
	revision, err := c.store.putLease(ctx, c.node, me, after)
	switch {
	case err == nil && c.leased.Load() && !c.missing.Load():
		c.announceUnseen()
		return revision, nil
	case errors.Is(err, cluster.ErrConflict):
		c.event(Event{Kind: EngineTrouble, Detail: "the lease of node " + c.node + " was lost"})
		revision, err = c.store.putLease(ctx, c.node, me, cluster.Any)
	}
	if err != nil {
		return 0, err
	}
	c.leased.Store(true)
	c.missing.Store(false)
	for _, l := range c.registry.links() {
		if !l.over.Load() {
			c.announcer.announce(l.channel(c.node))
			c.registry.again(l.target)
		}
	}
	return revision, nil
}

// announceUnseen makes channels known again that this node has not seen in the
// store from one renewal to the next: they were taken out while it could not see
// that they were.
func (c *Controller) announceUnseen() {
	for _, l := range c.registry.links() {
		switch {
		case l.seen.Load() || l.over.Load() || !l.announced.Load():
			l.unseen = 0
		case l.unseen > 0:
			l.unseen = 0
			c.announcer.announce(l.channel(c.node))
			c.registry.again(l.target)
		default:
			l.unseen++
		}
	}
}

// watchNodes follows which nodes there are; ready is called once.
func (c *Controller) watchNodes(ctx context.Context, ready func()) error {
	begun := false
	return c.store.nodes.Watch(ctx, "", func(e cluster.Entry) {
		switch {
		case e.Ready:
			begun = true
			ready()
		case e.Key == c.node && e.Deleted && begun:
			c.leased.Store(false)
			signal(c.lapsed)
		case e.Key == c.node:
		case !e.Deleted:
			if c.registry.nodeCame(e.Key, string(e.Value), e.Revision) && begun {
				c.event(Event{Kind: NodeCame, Detail: e.Key})
				signal(c.joined)
				signal(c.moved)
			}
		default:
			c.registry.nodeGone(e.Key)
			c.event(Event{Kind: NodeGone, Detail: e.Key})
			c.sweep()
			signal(c.moved)
		}
	})
}

// signal leaves a note in a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sweep takes out what nodes left behind that have gone, unless it was written
// anew: then they are back.
func (c *Controller) sweep() {
	for _, e := range c.registry.leftBehind() {
		c.announcer.withdraw(e.Node, e.ID, e.revision)
	}
}

// watchChannels follows the channels of the other nodes. What an earlier run of
// this node left behind is taken out; what another node took out of this one's,
// as it seemed to be gone, is made known again.
func (c *Controller) watchChannels(ctx context.Context, ready func()) error {
	return c.store.channels.Watch(ctx, "", func(e cluster.Entry) {
		node, id, _ := strings.Cut(e.Key, "/")
		var ch Channel
		switch {
		case e.Ready:
			ready()
		case node == c.node:
			c.ownChannel(id, e)
		case e.Deleted:
			c.registry.delete(id)
		case json.Unmarshal(e.Value, &ch) == nil:
			c.registry.put(entry{Channel: ch, revision: e.Revision})
			c.batches.targetIsBack(ch.Target)
		}
	})
}

// ownChannel makes the key of a channel of this node be what it should.
func (c *Controller) ownChannel(id string, e cluster.Entry) {
	_, l, _ := c.registry.find(id)
	if l != nil {
		l.seen.Store(!e.Deleted)
	}
	switch there := l != nil && !l.withdrawn.Load(); {
	case there && e.Deleted:
		c.missing.Store(true)
		signal(c.lapsed)
	case !there && !e.Deleted:
		c.announcer.withdraw(c.node, id, e.Revision)
	}
}

// watchPrimaries follows who is primary of which target.
func (c *Controller) watchPrimaries(ctx context.Context, ready func()) error {
	begun := false
	return c.store.primaries.Watch(ctx, "", func(e cluster.Entry) {
		var p primary
		switch {
		case e.Ready:
			begun = true
			ready()
		case e.Deleted:
			c.registry.dropPrimary(e.Key, e.Revision)
		case json.Unmarshal(e.Value, &p) == nil:
			p.revision, p.inherited = e.Revision, !begun
			c.registry.setPrimary(e.Key, p)
		}
	})
}
