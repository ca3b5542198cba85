package controller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-04209a44/peerd/controller/election"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// decideFor bounds how long the engine is asked to take a decision: others wait
// for theirs meanwhile.
const decideFor = 5 * time.Second

// electAgain is after how long a decision that the engine did not take is made
// again.
const electAgain = time.Second

// elections is how many targets are looked at side by side: each election is a
// durable write.
const elections = 16

// elect looks at each target that has changed, until ctx ends.
func (c *Controller) elect(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.registry.wake:
		}
		var g errgroup.Group
		g.SetLimit(elections)
		for _, target := range c.registry.takeDirty() {
			g.Go(func() error {
				if err := c.settle(ctx, target); err != nil && ctx.Err() == nil {
					c.event(Event{Kind: EngineTrouble, Target: target, Detail: err.Error()})
					c.later(ctx, electAgain, func() { c.registry.again(target) })
				}
				return nil
			})
		}
		_ = g.Wait() // the errors have been told
	}
}

// formerGrace is how long a controller that has begun leaves the office of a
// primary to the connector that had it, if that has a name to be known by: those
// that come back after a restart come in any order, and what runs on the primary
// only is not to move for that. It is shorter than the time for which peers
// keep the office without a controller.
const formerGrace = 5 * time.Second

// settle makes a target have the primary it should have, and tells this node's
// channels of it. A node whose lease has gone decides nothing: the others would
// undo it; nor does one that stops, whose channels end in any order.
func (c *Controller) settle(ctx context.Context, target string) error {
	if !c.leased.Load() || c.isOver() {
		return nil
	}
	v := c.registry.look(target)
	if v.soon && len(v.candidates) == 0 { // then it is looked at again
		return nil
	}
	v, decided, err := c.decide(ctx, target, v)
	if err != nil || !decided {
		return err
	}
	for _, l := range v.links {
		if !l.announced.Load() {
			continue // it may be elected yet
		}
		c.tell(ctx, l, exchange.Primary{Primary: l.id == v.record.Channel, Term: v.record.revision})
	}
	return nil
}

// decide has the engine take the decision that a target needs, if it needs one,
// and returns the target as it is then. Not to decide is to leave it for later.
func (c *Controller) decide(ctx context.Context, target string, v view) (_ view, decided bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, decideFor)
	defer cancel()
	switch d := election.Decide(v.election(), v.candidates, rand.IntN); d.Action {
	case election.Elect:
		if alive, err := c.alive(ctx, v.record); err != nil || alive {
			return v, false, err
		}
		if v.former != "" {
			d.Channel = v.former
		} else if v.record.inherited && v.record.Connector != "" && !c.late.Load() {
			return v, false, nil // it is looked at again when the grace is over
		}
		if err := c.appoint(ctx, target, d.Channel, v.record.revision); err != nil {
			return v, false, err
		}
		v = c.registry.look(target)
	case election.Vacate:
		if err := c.vacate(ctx, target, v.record); err != nil {
			return v, false, err
		}
	}
	return v, true, nil
}

// vacate takes out the record of a target that has no channel. It stays when the
// controller stops, and for a while after it has started again: connectors are
// coming back, and a target that was away for a moment has not gone.
func (c *Controller) vacate(ctx context.Context, target string, p primary) error {
	if !c.isOpen() || p.inherited && !c.settled.Load() {
		return nil
	}
	if alive, err := c.alive(ctx, p); err != nil || alive {
		return err
	}
	err := c.store.vacate(ctx, target, p.revision)
	if errors.Is(err, cluster.ErrConflict) { // somebody was faster: the watch will tell
		return c.dropUnseen(ctx, target, p.revision)
	}
	if err == nil {
		c.registry.dropPrimary(target, p.revision)
		c.event(Event{Kind: PrimaryVacated, Target: target, Term: p.revision})
	}
	return err
}

// endGrace has the targets looked at whose former primary has not come back.
func (c *Controller) endGrace() {
	c.late.Store(true)
	for _, target := range c.registry.inherited() {
		c.registry.again(target)
	}
}

// settleInherited has the targets looked at that have not come back in time, and
// takes out what nodes left behind that have not come back either.
func (c *Controller) settleInherited() {
	c.settled.Store(true)
	c.sweep()
	for _, target := range c.registry.inherited() {
		c.registry.again(target)
	}
}

// alive asks the engine whether a primary that is not in view is there all the
// same: the view of another node's channels may lag behind the record.
func (c *Controller) alive(ctx context.Context, p primary) (bool, error) {
	if p.revision == 0 || p.Node == c.node {
		return false, nil
	}
	return c.store.exists(ctx, p)
}

func (c *Controller) appoint(ctx context.Context, target, channel string, after uint64) error {
	ch, _, found := c.registry.find(channel)
	if !found {
		return nil // it has gone meanwhile, which has marked the target
	}
	p := primary{Channel: ch.ID, Node: ch.Node, Connector: ch.Connector}
	if err := c.remains(ctx, p); err != nil {
		return err
	}
	revision, err := c.store.appoint(ctx, target, p, after)
	switch {
	case errors.Is(err, cluster.ErrConflict): // somebody was faster: the watch will tell
		return c.dropUnseen(ctx, target, after)
	case err != nil:
		return err
	}
	p.revision = revision
	c.registry.setPrimary(target, p)
	c.event(Event{Kind: PrimaryElected, Target: target, Channel: ch.ID, Term: revision})
	return nil
}

// dropUnseen drops a record that is no longer there. The watch tells of that, unless
// it never knew of a record that this node has written itself.
func (c *Controller) dropUnseen(ctx context.Context, target string, revision uint64) error {
	_, err := c.store.primaries.Get(ctx, target)
	if errors.Is(err, cluster.ErrNotFound) {
		c.registry.dropPrimary(target, revision)
		return nil
	}
	return err
}

// remains asks the engine whether a channel that is to be primary is still there: of
// another node's the view may not know yet that it has gone, and those who do know
// would undo it. Then the target is looked at again a while later.
func (c *Controller) remains(ctx context.Context, p primary) error {
	if p.Node == c.node {
		return nil
	}
	there, err := c.store.exists(ctx, p)
	if err == nil && !there {
		err = fmt.Errorf("channel %s of node %s has gone, which this node has yet to see", p.Channel, p.Node)
	}
	return err
}

// tell has a channel know whether it is primary. It does not wait; of several
// things to tell one after the other only the last matters.
func (c *Controller) tell(ctx context.Context, l *link, p exchange.Primary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Term == 0 || p.Term < l.wanted.Term {
		return
	}
	l.wanted = p
	if l.telling || l.ever && l.told == p {
		return
	}
	l.telling = true
	c.tellers.Go(func() {
		for p, more := l.nextToTell(); more; p, more = l.nextToTell() {
			c.tellOnce(ctx, l, p)
		}
	})
}

func (l *link) nextToTell() (exchange.Primary, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ever && l.told == l.wanted || l.over.Load() {
		l.telling = false
		return exchange.Primary{}, false
	}
	l.told, l.ever = l.wanted, true
	return l.told, true
}

// tellOnce sends PRIMARY. A channel that does not answer is hung: it is ended,
// and another one elected.
func (c *Controller) tellOnce(ctx context.Context, l *link, p exchange.Primary) {
	timed, cancel := context.WithTimeout(ctx, c.o.HealthTimeout)
	defer cancel()
	reply, err := l.own(timed, exchange.TypePrimary, p)
	if err == nil {
		err = reply.Err()
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, exchange.ErrClosed) {
		return
	}
	c.event(Event{Kind: PrimaryRefused, Target: l.target, Channel: l.id, Term: p.Term, Detail: fmt.Sprintf("%v: %v", p.Primary, err)})
	if errors.Is(err, exchange.ErrTimeout) {
		c.end(l, true, 0)
	}
}
