package keeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-04209a44/peerd/exchange"
)

// handOver has a keeper take over what an earlier one held. One that holds it
// already was left alone for a moment, and has heard what was said since: it gets
// the sockets of sd_notify anew, and with that hears no more.
func (c *Client) handOver(ctx context.Context, s *session, has []Entry) error {
	there := map[string]bool{}
	for _, e := range has {
		there[e.Key] = true
	}
	c.mu.Lock()
	missing, unheard := map[string]*Capture{}, map[string]*Capture{}
	for key, cp := range c.captures {
		switch {
		case !there[key] && !cp.isDrained():
			missing[key] = cp
		case there[key]:
			unheard[key] = cp
		}
	}
	c.mu.Unlock()
	c.untaken, c.unheard = missing, unheard
	return c.takeOver(ctx, s)
}

// takeOver has the keeper take over what it has not yet. What it cannot now
// stays untaken, which is a trouble: nobody reads its output until it is.
func (c *Client) takeOver(ctx context.Context, s *session) error {
	c.trouble = nil
	for key, cp := range c.untaken {
		var e Entry
		err := error(nil)
		if !cp.isDrained() {
			err = c.offer(cp.heldEar(), func(path string) error {
				order := cp.order()
				order.Notify = path
				return call(ctx, s.endpoint, TypeCapture, order, &e)
			})
		}
		switch {
		case err == nil:
			c.word(key).merge(e)
			delete(c.untaken, key)
		case s.endpoint.Err() != nil || ctx.Err() != nil:
			return err
		default:
			c.trouble = fmt.Errorf("the output of %s is not stored: %w", key, err)
		}
	}
	return c.listenAgain(ctx, s)
}

// listenAgain has the keeper leave to this user what is said.
func (c *Client) listenAgain(ctx context.Context, s *session) error {
	for key, cp := range c.unheard {
		err := error(nil)
		if cp.hasEar() {
			err = c.offer(cp.heldEar(), func(path string) error {
				return call(ctx, s.endpoint, TypeListen, earOrder{Key: key, Path: path}, nil)
			})
		}
		switch {
		case err == nil || errors.Is(err, exchange.ErrUnknown): // one of an earlier version does not hear
			delete(c.unheard, key)
		case s.endpoint.Err() != nil || ctx.Err() != nil:
			return err
		default:
			c.trouble = fmt.Errorf("what %s says by sd_notify is not all heard: %w", key, err)
		}
	}
	return nil
}
