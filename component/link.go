package component

import (
	"context"
	"errors"
	"sync"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
)

// link knows the peer that is attached now. A component outlives its peers:
// there may be none for a while, and then another.
type link struct {
	mu      sync.Mutex // guards all below
	peer    *exchange.Endpoint
	changed chan struct{} // closed when peer changes
}

func newLink() *link { return &link{changed: make(chan struct{})} }

// attach makes e the peer. An earlier one is hung up on: the newest is the one
// that lives.
func (l *link) attach(e *exchange.Endpoint) {
	l.mu.Lock()
	old := l.peer
	l.set(e)
	l.mu.Unlock()
	if old != nil && old != e {
		_ = old.Close()
	}
}

// detach forgets e if it is the peer.
func (l *link) detach(e *exchange.Endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peer == e {
		l.set(nil)
	}
}

// set changes the peer; mu is held.
func (l *link) set(e *exchange.Endpoint) {
	l.peer = e
	close(l.changed)
	l.changed = make(chan struct{})
}

// now returns the peer, nil if there is none.
func (l *link) now() *exchange.Endpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer
}

// wait returns the peer as soon as there is one.
func (l *link) wait(ctx context.Context) (*exchange.Endpoint, error) {
	for {
		l.mu.Lock()
		peer, changed := l.peer, l.changed
		l.mu.Unlock()
		if peer != nil {
			return peer, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// do calls f with the peer, and again with the next one where a peer is lost
// meanwhile.
func (l *link) do(ctx context.Context, f func(*ccp.Client) error) error {
	for {
		peer, err := l.wait(ctx)
		if err != nil {
			return err
		}
		err = f(ccp.NewClient(peer))
		if !errors.Is(err, exchange.ErrClosed) {
			return err
		}
		l.detach(peer)
	}
}
