package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-04209a44/peerd/exchange"
)

// session is one keeper as long as it answers.
type session struct {
	pid      int
	speaks   Speaks
	endpoint *exchange.Endpoint
}

// window is how many commands may be in flight on one channel.
const window = 1024

// session waits until there is a keeper.
func (c *Client) session(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, changed := c.now, c.changed
		c.mu.Unlock()
		if s != nil && !s.isOver() {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("there is no keeper: %w", context.Cause(ctx))
		case <-c.ctx.Done():
			return nil, errors.New("the way to the keeper is closed")
		}
	}
}

func (s *session) isOver() bool {
	select {
	case <-s.endpoint.Ended():
		return true
	default:
		return false
	}
}

// call asks the keeper that is there, and the next one if it dies over it: for
// all that may be asked twice.
func (c *Client) call(ctx context.Context, typ string, order, answer any) error {
	for {
		s, err := c.session(ctx)
		if err != nil {
			return err
		}
		err = call(ctx, s.endpoint, typ, order, answer)
		if !errors.Is(err, exchange.ErrClosed) || !s.isOver() {
			return err
		}
	}
}

// handle registers do with its payload decoded.
func handle[T any](m *exchange.Mux, typ string, do func(T) (any, error)) {
	m.Handle(typ, func(_ context.Context, r *exchange.Request) (any, error) {
		var order T
		if err := r.Decode(&order); err != nil {
			return nil, err
		}
		return do(order)
	})
}

func call(ctx context.Context, e *exchange.Endpoint, typ string, order, answer any) error {
	cmd, err := exchange.NewCommand(typ, order)
	if err != nil {
		return err
	}
	reply, err := e.Call(ctx, cmd)
	if err == nil {
		err = reply.Err()
	}
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal(reply.Payload, answer); err != nil {
		return fmt.Errorf("cannot read the keeper's answer: %w", err)
	}
	return nil
}
