package peer

import (
	"context"

	"github.com/seed-04209a44/peerd/control"
)

// canRecord proves that the journal can write. Nothing is acted on while it
// cannot: what is acknowledged is on disk, or was not done.
func (p *Peer) canRecord() error { return p.noted(p.journal.Sync()) }

// noted shows in status whether the journal writes, and turns its refusal into
// that of the command which needed it.
func (p *Peer) noted(err error) error {
	p.degraded.set("journal", err)
	if err != nil {
		return control.Errorf(control.CodeFailed, "nothing was done, as it could not be remembered: %v", err)
	}
	return nil
}

// recorded has an operation that leaves no record of its own refused while the
// journal cannot write, like those that do.
func recorded[Req, Resp any](p *Peer, do func(context.Context, Req, progress) (Resp, error)) func(context.Context, Req, progress) (Resp, error) {
	return func(ctx context.Context, r Req, tell progress) (resp Resp, err error) {
		if err := p.canRecord(); err != nil {
			return resp, err
		}
		return do(ctx, r, tell)
	}
}
