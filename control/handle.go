package control

import (
	"context"
	"fmt"

	"github.com/seed-04209a44/peerd/exchange"
)

// Send hands one item of an operation's Progress to the caller. It blocks while
// the caller is slow and fails once the caller is gone.
type Send func(item any) error

// Registrar is where handlers are registered: an exchange.Mux.
type Registrar interface {
	Handle(typ string, h exchange.Handler)
}

// Handle registers h for the operation typ: the payload arrives decoded, the
// caller's role has been checked, and an error reaches the caller with its
// code. A typ that is not in Operations panics, as it is a programming error.
func Handle[Req, Resp any](m Registrar, typ string, h func(ctx context.Context, req Req, send Send) (Resp, error)) {
	op, ok := Lookup(typ)
	if !ok {
		panic(fmt.Sprintf("control: no operation %q", typ))
	}
	m.Handle(typ, func(ctx context.Context, r *exchange.Request) (any, error) {
		if err := op.Permit(CallerFrom(ctx)); err != nil {
			return nil, wireError{err}
		}
		var req Req
		if err := r.Decode(&req); err != nil {
			return nil, wireError{Errorf(CodeUsage, "cannot read the payload of %s: %v", typ, err)}
		}
		resp, err := h(ctx, req, r.Progress)
		if err != nil {
			return nil, wireError{err}
		}
		return resp, nil
	})
}
