package controller

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-04209a44/peerd/exchange"
)

// upward is what a controller was asked by its connectors.
type upward struct {
	mu    sync.Mutex
	terms []uint64
}

func (u *upward) handlers(Channel) *exchange.Mux {
	m := &exchange.Mux{}
	m.Handle("BOOK", func(_ context.Context, req *exchange.Request) (any, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.terms = append(u.terms, req.Term)
		return nil, nil
	})
	return m
}

func (u *upward) took() []uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.terms)
}

// TestATermThatIsOver: what a primary sends to its controller bears its term, and
// has no effect once another one has begun.
func TestATermThatIsOver(t *testing.T) {
	u := &upward{}
	n := run(t, func(o *Options) { o.Handlers = u.handlers })
	book := func(p *peer, term uint64) error {
		t.Helper()
		cmd := command(t, "BOOK", nil)
		cmd.Term = term
		reply, err := p.Call(t.Context(), cmd)
		if err != nil {
			return err
		}
		return reply.Err()
	}
	old := n.join("t", "old", nil)
	n.until("old is primary", old.isPrimary)
	other := n.join("t", "other", nil)
	n.until("other knows that it is not", func() bool { return other.term() == old.term() })
	former := old.term()
	for _, p := range []*peer{old, other} {
		if err := book(p, 0); err != nil {
			t.Error(err)
		}
	}
	if got := u.took(); !slices.Equal(got, []uint64{former, 0}) {
		t.Errorf("it was asked in the terms %v, want the primary's, %d, and none", got, former)
	}

	for _, ch := range n.Target("t") {
		if ch.Primary {
			if err := n.Kick(ch.ID, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.until("other is primary", other.isPrimary)
	n.until("old knows", func() bool { return old.connected() && old.term() == other.term() })
	err := book(old, former) // it was decided on in that term
	if err == nil || !strings.Contains(err.Error(), `of target "t" is over`) {
		t.Errorf("what was decided on in term %d: %v", former, err)
	}
	if n.told(CommandRefused) != 1 {
		t.Error("nobody was told of the refusal")
	}
	if err := book(other, 0); err != nil {
		t.Error(err)
	}
	if got := u.took(); !slices.Equal(got, []uint64{former, 0, other.term()}) {
		t.Errorf("it was asked in the terms %v", got)
	}
}
