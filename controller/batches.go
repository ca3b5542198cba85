package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// Batches are the durable batches of a fleet, the same on each of its
// controllers. What was taken is carried out, whoever is killed.
//
// A batch's commands are sent strictly one after the other, each only after the
// one before it has succeeded; the first that does not ends the pass. The next
// pass, later, skips what succeeded, and sends what did not under the same
// command ID: with an exchange.ReplyCache on the connector's side each command
// has one effect. Between two passes other batches of the target may run; within
// one none does. All passes of a batch go to the same connector while it is there.
//
// A target that is not there, or is lost in the middle, costs no retry: the
// batch waits, and goes on at once when the target is back.
type Batches struct {
	c       *Controller
	o       BatchOptions
	view    *batchView
	stopped chan struct{} // closed when no batch runs any more
}

func newBatches(c *Controller) *Batches {
	return &Batches{c: c, o: c.o.Batches, view: newBatchView(), stopped: make(chan struct{})}
}

// Execute takes a batch. When it returns, the batch is on disk, and will be
// carried out whatever happens to this process.
func (b *Batches) Execute(ctx context.Context, batch Batch) (Batch, error) {
	if err := b.fill(&batch); err != nil {
		return Batch{}, fmt.Errorf("cannot take batch %q: %w", batch.ID, err)
	}
	d := definition{Key: batch.Key, Target: batch.Target, MaxRetry: batch.MaxRetry, Created: time.Now().UTC()}
	for _, c := range batch.Commands {
		d.Commands = append(d.Commands, c.Command)
	}
	value, err := exchange.Encode(d)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrBatchInvalid, err)
	}
	if err == nil && len(value) > cluster.MaxValue {
		err = fmt.Errorf("%w: %d bytes, at most %d", ErrBatchInvalid, len(value), cluster.MaxValue)
	}
	var revision uint64
	if err == nil {
		revision, err = b.c.store.batches.Put(ctx, definitionKey(batch.ID), value, 0)
	}
	switch {
	case errors.Is(err, cluster.ErrConflict):
		return Batch{}, fmt.Errorf("cannot take batch %q: %w", batch.ID, ErrBatchExists)
	case err != nil:
		return Batch{}, fmt.Errorf("cannot take batch %q: %w", batch.ID, err)
	}
	b.apply(cluster.Entry{Key: definitionKey(batch.ID), Value: value, Revision: revision})
	return b.Get(batch.ID)
}

// fill checks a batch and fills in what is left out.
func (b *Batches) fill(batch *Batch) error {
	switch {
	case b.o.Disabled:
		return ErrBatchesOff
	case !b.c.isOpen():
		return ErrNotRunning
	case batch.Target == "":
		return fmt.Errorf("%w: it has no target", ErrBatchInvalid)
	case len(batch.Commands) == 0:
		return fmt.Errorf("%w: it has no commands", ErrBatchInvalid)
	}
	if count, bytes := b.view.size(); count >= b.o.Max || bytes >= b.o.MaxBytes {
		return fmt.Errorf("%w: %d of %d bytes, at most %d of %d bytes", ErrBatchesFull, count, bytes, b.o.Max, b.o.MaxBytes)
	}
	if batch.ID == "" {
		batch.ID = uuid.NewString()
	}
	switch {
	case batch.MaxRetry == 0:
		batch.MaxRetry = DefaultMaxRetry
	case batch.MaxRetry < 0:
		batch.MaxRetry = 0
	}
	batch.Commands = slices.Clone(batch.Commands)
	seen := make(map[string]bool)
	for i := range batch.Commands {
		cmd := &batch.Commands[i].Command
		if cmd.Type == "" {
			return fmt.Errorf("%w: command %d has no type", ErrBatchInvalid, i)
		}
		if cmd.ID == "" {
			cmd.ID = exchange.NewID()
		}
		if seen[cmd.ID] {
			return fmt.Errorf("%w: command %d has the id of an earlier one: %q", ErrBatchInvalid, i, cmd.ID)
		}
		seen[cmd.ID] = true
	}
	return nil
}

// Get returns a batch as it stands.
func (b *Batches) Get(id string) (Batch, error) {
	if batch, ok := b.view.get(id); ok {
		return batch, nil
	}
	return Batch{}, fmt.Errorf("batch %q: %w", id, ErrNoBatch)
}

// List returns the batches that keep returns true for, the oldest first.
func (b *Batches) List(keep func(Batch) bool) []Batch { return b.view.list(keep) }

// Cancel ends a batch: the command in flight is cancelled, no further one is
// sent. It returns the batch when it has ended, in ERROR unless it was faster.
func (b *Batches) Cancel(ctx context.Context, id string) (Batch, error) {
	batch, err := b.Get(id)
	if err != nil || batch.Status.Terminal() {
		return batch, err
	}
	revision, err := b.c.store.batches.Put(ctx, cancelKey(id), []byte("{}"), cluster.Any)
	if err != nil {
		return batch, fmt.Errorf("cannot cancel batch %q: %w", id, err)
	}
	b.apply(cluster.Entry{Key: cancelKey(id), Revision: revision})
	return b.Wait(ctx, id)
}

// Retry has a batch in ERROR go on where it ended, with all its retries; one
// that waits for its next pass goes on at once.
func (b *Batches) Retry(ctx context.Context, id string) (Batch, error) {
	batch, err := b.Get(id)
	if err != nil {
		return batch, err
	}
	at := b.view.revisionOf(id)
	if batch.Status != BatchError && batch.Status != BatchPending {
		return batch, fmt.Errorf("cannot retry batch %q, which is %s: %w", id, batch.Status, ErrBatchState)
	}
	if err := b.c.store.batches.Delete(ctx, cancelKey(id), cluster.Any); err != nil {
		return batch, fmt.Errorf("cannot retry batch %q: %w", id, err)
	}
	_, err = b.save(ctx, id, progress{Status: BatchPending, Due: time.Now()}, at)
	if errors.Is(err, cluster.ErrConflict) {
		err = fmt.Errorf("it has just changed: %w", ErrBatchState)
	}
	if err != nil {
		return batch, fmt.Errorf("cannot retry batch %q: %w", id, err)
	}
	return b.Get(id)
}

// Wait returns a batch when it has ended, or as it stands, with ctx's error,
// when ctx does.
func (b *Batches) Wait(ctx context.Context, id string) (Batch, error) {
	for {
		ended, news := b.view.ended(id)
		if ended {
			return b.Get(id)
		}
		select {
		case <-news:
		case <-ctx.Done():
			batch, err := b.Get(id)
			return batch, errors.Join(ctx.Err(), err)
		}
	}
}

// Observed says which batches are observed: one, or all of a key, or, with
// neither, all.
type Observed struct{ ID, Key string }

// Observe tells f of the batches as they stand, and then of each change, from
// the calling goroutine, until ctx ends, and returns ctx's error. Of several
// changes of one batch some may be left out, but never the last. It tells of
// batches carried out by any controller.
func (b *Batches) Observe(ctx context.Context, which Observed, f func(Batch)) error {
	seen := uint64(0)
	for {
		changed, version, news := b.view.since(seen, which)
		for _, batch := range changed {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f(batch)
		}
		seen = version
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
