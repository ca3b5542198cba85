package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// lostPause is how long a batch waits that lost its target in the middle, if
// the target does not come back before that.
const lostPause = time.Second

// sweepInterval is how often batches are deleted whose time is over.
const sweepInterval = time.Minute

// errCancelled is why a batch ended that somebody cancelled.
var errCancelled = errors.New("cancelled")

// targetIsBack lets the batches of a target go on at once.
func (b *Batches) targetIsBack(target string) { b.view.targetIsBack(target) }

// watch follows the store; ready is called once.
func (b *Batches) watch(ctx context.Context, ready func()) error {
	begun := false
	return b.c.store.batches.Watch(ctx, "", func(e cluster.Entry) {
		switch {
		case e.Ready:
			begun = true
			ready()
		case begun:
			b.apply(e)
		default: // that it was there before is no news
			b.view.apply(e)
		}
	})
}

// apply takes in one key of the store and tells of a status that changed.
func (b *Batches) apply(e cluster.Entry) {
	if batch, ok := b.view.apply(e); ok {
		b.c.event(Event{Kind: BatchChanged, Batch: batch.ID, Target: batch.Target, Detail: string(batch.Status)})
	}
}

// run starts passes until ctx ends, and returns when none is under way.
func (b *Batches) run(ctx context.Context) error {
	defer close(b.stopped)
	if b.o.Disabled {
		<-ctx.Done()
		return nil
	}
	var under sync.WaitGroup
	defer under.Wait()
	under.Go(func() { b.c.partitions.keep(ctx, b.view.poke) })
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			b.sweep(ctx)
		case <-b.view.wake:
		case <-due.C:
		}
		passes, cancelled, wait := b.view.start(time.Now(), b.c.partitions.mine, b.c.registry.there)
		for _, p := range passes {
			under.Go(func() { b.carryOut(ctx, p) })
		}
		for _, p := range cancelled {
			under.Go(func() { b.drop(ctx, p) })
		}
		due.Reset(wait)
	}
}

// carryOut carries out one pass of a batch.
func (b *Batches) carryOut(ctx context.Context, p pass) {
	defer b.view.finished(p.id)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b.view.stoppable(p.id, func() { stop(errCancelled) })
	if b.misses(p) {
		b.waitForConnector(ctx, p)
		return
	}
	doubt := p.state.Connector != ""
	var err error
	if !doubt {
		if p.state.Connector, err = b.pick(p); err != nil {
			b.pause(ctx)
			return
		}
	}
	p.state.Missed = time.Time{}
	p.state.Status, p.state.ErrorDetails, p.state.Node, p.state.Due = BatchInProgress, "", b.c.node, time.Time{}
	revision, err := b.save(ctx, p.id, p.state, p.revision)
	if err == nil {
		doubt, err = b.commands(ctx, p, doubt)
	}
	switch {
	case errors.Is(err, cluster.ErrConflict): // another controller has taken over
		return
	case context.Cause(ctx) != nil && !errors.Is(context.Cause(ctx), errCancelled): // stopping: whoever comes next goes on
		return
	case revision == 0 && err != nil:
		b.trouble(ctx, p, err)
		return
	}
	last := p.state.after(err, context.Cause(ctx), p.def.MaxRetry, b.o.RetryInterval, time.Now())
	if !doubt {
		last.Connector = ""
	}
	if _, err := b.save(context.WithoutCancel(ctx), p.id, last, revision); err != nil && !errors.Is(err, cluster.ErrConflict) {
		b.trouble(ctx, p, err)
	}
}

// trouble tells that the store does not take what it should, and keeps the batch
// from being tried again at once.
func (b *Batches) trouble(ctx context.Context, p pass, err error) {
	b.c.event(Event{Kind: EngineTrouble, Batch: p.id, Target: p.def.Target, Detail: err.Error()})
	b.pause(ctx)
}

// pause keeps a pass for a moment that cannot begin.
func (b *Batches) pause(ctx context.Context) {
	pause := time.NewTimer(lostPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

// lostError is why a command has no outcome: the target has gone, or the store
// did not take the reply. It is no fault of the command's.
type lostError struct{ error }

// unknownError is that a connector cannot say whether a command had its effect.
// Another one would perhaps give it a second: that is the operator's to decide.
type unknownError struct{ error }

// commands sends what has not succeeded yet, one after the other. doubt is
// whether the connector may have carried out the first of them, or that of which
// it returns.
func (b *Batches) commands(ctx context.Context, p pass, doubt bool) (bool, error) {
	for n, cmd := range p.def.Commands {
		old := p.replies[n]
		if old.revision != 0 && old.reply.Status == exchange.Succeeded {
			continue
		}
		reply, err := b.c.Send(ctx, p.def.Target, cmd, Choice{Key: p.id, Connector: p.state.Connector})
		doubt = err != nil && reply.Status == "" && (doubt || !errors.Is(err, errNotSent) && !errors.Is(err, ErrNoChannel))
		switch {
		case ctx.Err() != nil:
			return doubt, ctx.Err()
		case errors.Is(err, exchange.ErrClosed), errors.Is(err, ErrNoChannel),
			errors.Is(err, exchange.ErrDuplicate): // an earlier pass's is under way yet: it will tell
			return doubt, lostError{err}
		case err != nil && reply.Status == "": // there is no reply to keep
			reply = exchange.Reply{CommandID: cmd.ID, Type: cmd.Type, Status: exchange.Failed, ErrorDetails: err.Error()}
		}
		switch err := b.keep(ctx, p.id, n, reply, old.revision); {
		case errors.Is(err, cluster.ErrConflict), ctx.Err() != nil:
			return doubt, errors.Join(err, ctx.Err())
		case err != nil:
			return true, lostError{err} // it has been carried out, and nobody will remember
		}
		if reply.Type == exchange.TypeOutcomeUnknown {
			return doubt, unknownError{fmt.Errorf("command %d (%s): %s", n, cmd.Type, reply.ErrorDetails)}
		}
		if reply.Status != exchange.Succeeded {
			return doubt, fmt.Errorf("command %d (%s): %s", n, cmd.Type, reply.ErrorDetails)
		}
	}
	return false, nil
}

// keep writes the reply to a command; after it the command is not sent again if
// it succeeded.
func (b *Batches) keep(ctx context.Context, id string, n int, reply exchange.Reply, after uint64) error {
	value, err := exchange.Encode(reply)
	if err != nil {
		return err
	}
	revision, err := b.c.store.batches.Put(ctx, replyKey(id, n), value, after)
	if err == nil {
		b.apply(cluster.Entry{Key: replyKey(id, n), Value: value, Revision: revision})
	}
	return err
}

// after is what a pass that ended with err leaves behind.
func (p progress) after(err, cause error, maxRetry int, interval time.Duration, now time.Time) progress {
	p.Node = ""
	var lost lostError
	var unknown unknownError
	switch {
	case err == nil:
		p.Status, p.Ended = BatchSucceeded, now
	case errors.Is(cause, errCancelled):
		p.Status, p.ErrorDetails, p.Ended = BatchError, errCancelled.Error(), now
	case errors.As(err, &lost):
		p.Status, p.ErrorDetails, p.Due = BatchPending, err.Error(), now.Add(lostPause)
	case errors.As(err, &unknown):
		p.Status, p.ErrorDetails, p.Ended = BatchError, err.Error()+"; a retry may give it a second effect", now
	default:
		retry := 0
		if p.Retry != nil {
			retry = *p.Retry + 1
		}
		p.Retry, p.LastRetryAt, p.ErrorDetails = &retry, &now, err.Error()
		p.Status, p.Due = BatchPending, now.Add(time.Duration(retry+1)*interval)
		if retry >= maxRetry {
			p.Status, p.Due, p.Ended = BatchError, time.Time{}, now
		}
	}
	return p
}

// drop ends a batch that was cancelled while none of its passes was under way.
func (b *Batches) drop(ctx context.Context, p pass) {
	defer b.view.finished(p.id)
	p.state.Status, p.state.ErrorDetails, p.state.Ended = BatchError, errCancelled.Error(), time.Now()
	if _, err := b.save(ctx, p.id, p.state, p.revision); err != nil && ctx.Err() == nil && !errors.Is(err, cluster.ErrConflict) {
		b.trouble(ctx, p, err)
	}
}

// save writes the progress of a batch, unless somebody else has.
func (b *Batches) save(ctx context.Context, id string, p progress, after uint64) (uint64, error) {
	value, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	revision, err := b.c.store.batches.Put(ctx, progressKey(id), value, after)
	if err == nil {
		b.apply(cluster.Entry{Key: progressKey(id), Value: value, Revision: revision})
	}
	return revision, err
}

// sweep deletes what is over.
func (b *Batches) sweep(ctx context.Context) {
	for _, keys := range b.view.old(time.Now().Add(-b.o.Keep), b.c.partitions.mine) {
		for _, key := range keys {
			if err := b.c.store.batches.Delete(ctx, key, cluster.Any); err != nil {
				if ctx.Err() == nil {
					b.c.event(Event{Kind: EngineTrouble, Detail: err.Error()})
				}
				return // the rest is left over, for next time
			}
		}
	}
}
