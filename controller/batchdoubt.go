package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// All commands of a pass go to one connector, which is written down before the
// first. When the connector goes before it has answered, nobody else knows
// whether it has carried the command out; it knows, and answers the same command
// again without doing it again. So the batch waits for that connector, and goes
// on with another only where a command was certainly not carried out.

// doubtPause is how often a batch that waits for its connector is looked at, if
// nobody connects.
const doubtPause = 10 * time.Second

// pick names the connector of a new pass; "" if it has no name. That there is
// none is an error: what came a moment later would get commands, and not be
// written down.
func (b *Batches) pick(p pass) (string, error) {
	chosen, err := choose(p.def.Target, b.c.registry.candidatesOf(p.def.Target), Choice{Key: p.id})
	return chosen.Channel.Connector, err
}

// misses tells whether a batch has to wait for its connector.
func (b *Batches) misses(p pass) bool {
	if p.state.Connector == "" {
		return false
	}
	_, err := choose(p.def.Target, b.c.registry.candidatesOf(p.def.Target), Choice{Connector: p.state.Connector})
	return err != nil
}

// waitForConnector writes down that a batch waits, or that it has waited enough.
func (b *Batches) waitForConnector(ctx context.Context, p pass) {
	now := time.Now()
	next := p.state
	if next.Missed.IsZero() {
		next.Missed = now
	}
	next.Status, next.Node, next.Due = BatchPending, "", now.Add(doubtPause)
	next.ErrorDetails = fmt.Sprintf("waits for connector %q, which went before it answered a command", next.Connector)
	if now.Sub(next.Missed) >= b.o.Doubt {
		next.Status, next.Due, next.Ended = BatchError, time.Time{}, now
		next.ErrorDetails = fmt.Sprintf("connector %q went before it answered a command, and did not come back for %v: it may have carried the command out; a retry sends it to another", next.Connector, b.o.Doubt)
	}
	if _, err := b.save(ctx, p.id, next, p.revision); err != nil && ctx.Err() == nil && !errors.Is(err, cluster.ErrConflict) {
		b.trouble(ctx, p, err)
	}
}
