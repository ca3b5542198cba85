package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// Send sends a command to one channel of a target, wherever in the fleet it is,
// and waits for the terminal reply, as exchange.Endpoint.Call does. A command
// that may have reached the target is not sent again.
func (c *Controller) Send(ctx context.Context, target string, cmd exchange.Command, how Choice) (exchange.Reply, error) {
	return c.send(ctx, target, cmd, how, nil)
}

// Stream is Send that hands every intermediate reply to each, in order, from the
// calling goroutine, wherever in the fleet the channel is. An error from each
// cancels the command and is returned.
func (c *Controller) Stream(ctx context.Context, target string, cmd exchange.Command, how Choice, each func(exchange.Reply) error) (exchange.Reply, error) {
	return c.send(ctx, target, cmd, how, each)
}

func (c *Controller) send(ctx context.Context, target string, cmd exchange.Command, how Choice, each func(exchange.Reply) error) (exchange.Reply, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	tried := make(map[string]bool)
	var notSent error
	for {
		all := slices.DeleteFunc(c.registry.candidatesOf(target), func(one candidate) bool { return tried[one.ID] })
		chosen, err := choose(target, all, how)
		switch {
		case err != nil && notSent != nil:
			return exchange.Reply{}, notSent // says more than that there is no other channel
		case err != nil:
			return exchange.Reply{}, fmt.Errorf("command %s: %w", cmd.Type, err)
		}
		reply, err := c.deliver(ctx, chosen, cmd, each)
		if !errors.Is(err, errNotSent) {
			return reply, err
		}
		notSent = err
		tried[chosen.ID] = true
		if len(tried) == choices {
			return reply, err
		}
	}
}

// choices is how many channels are tried for a command that none of them has seen.
const choices = 3

// bounded gives ctx a deadline if it has none.
func (c *Controller) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.o.Timeout)
}

// Answer is one channel's outcome of a Broadcast.
type Answer struct {
	Channel Channel
	Reply   exchange.Reply
	Err     error // there is no reply
}

// Broadcast sends a command to all channels of a target at once, each under an
// ID of its own, and returns one answer for each.
func (c *Controller) Broadcast(ctx context.Context, target string, cmd exchange.Command) ([]Answer, error) {
	all := c.registry.candidatesOf(target)
	if len(all) == 0 {
		return nil, fmt.Errorf("command %s: target %q: %w", cmd.Type, target, ErrNoChannel)
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	answers := make([]Answer, len(all))
	var wg sync.WaitGroup
	for i, to := range all {
		wg.Go(func() {
			one := cmd
			one.ID = exchange.NewID()
			answers[i].Channel = to.Channel
			answers[i].Reply, answers[i].Err = c.deliver(ctx, to, one, nil)
		})
	}
	wg.Wait()
	return answers, nil
}

func (c *Controller) deliver(ctx context.Context, to candidate, cmd exchange.Command, each func(exchange.Reply) error) (exchange.Reply, error) {
	if cmd.ID == "" {
		cmd.ID = exchange.NewID()
	}
	if to.link != nil {
		reply, err := to.link.call(ctx, cmd, c.o.Refuse, each)
		c.tally.command(reply, err)
		return reply, err
	}
	return c.hop(ctx, to.Channel, cmd, each)
}

// hopRequest is a command on its way to the node that has the channel. The time
// left is a span, as two nodes' clocks are not compared.
type hopRequest struct {
	Channel string           `json:"channel"`
	Left    time.Duration    `json:"left"`
	Command exchange.Command `json:"command"`
}

type hopAnswer struct {
	Reply *exchange.Reply `json:"reply,omitempty"` // nil: there was none
	Kind  int             `json:"kind,omitempty"`  // of the error, as index into hopErrors
	Error string          `json:"error,omitempty"`
}

// hopErrors are the errors that stay themselves on their way back.
var hopErrors = []error{
	nil, exchange.ErrClosed, exchange.ErrBusy, exchange.ErrTimeout, exchange.ErrUnknown, exchange.ErrNoReply,
	exchange.ErrTooLarge, exchange.ErrDuplicate, errNotSent,
}

// hop sends a command by way of another node.
func (c *Controller) hop(ctx context.Context, to Channel, cmd exchange.Command, each func(exchange.Reply) error) (exchange.Reply, error) {
	until, _ := ctx.Deadline()
	left := time.Until(until)
	if cmd.ExpiresAt != nil {
		left = min(left, time.Until(*cmd.ExpiresAt))
		cmd.ExpiresAt = nil
	}
	request, err := exchange.Encode(hopRequest{Channel: to.ID, Left: left, Command: cmd})
	if err != nil {
		return exchange.Reply{}, fmt.Errorf("command %s: %w", cmd.Type, err)
	}
	there, cancel := c.registry.whileThere(ctx, to.Node)
	if there == nil {
		return exchange.Reply{}, fmt.Errorf("command %s: node %s has gone: %w", cmd.Type, to.Node, errNotSent)
	}
	defer cancel()
	data, err := c.o.Engine.Request(there, c.subject(to.Node), request, parts(each))
	switch {
	case err != nil && errors.Is(context.Cause(there), errNodeGone):
		return exchange.Reply{}, fmt.Errorf("command %s: node %s has gone with it: %w", cmd.Type, to.Node, exchange.ErrClosed)
	case errors.Is(err, cluster.ErrNobody):
		return exchange.Reply{}, fmt.Errorf("command %s: node %s has gone: %w", cmd.Type, to.Node, errNotSent)
	case errors.Is(err, cluster.ErrLost):
		return exchange.Reply{}, fmt.Errorf("command %s: node %s has gone with it: %w", cmd.Type, to.Node, exchange.ErrClosed)
	case errors.Is(err, context.DeadlineExceeded):
		return exchange.Reply{}, fmt.Errorf("command %s: %w (%w)", cmd.Type, exchange.ErrTimeout, err)
	case err != nil:
		return exchange.Reply{}, fmt.Errorf("command %s by way of node %s: %w", cmd.Type, to.Node, err)
	}
	var a hopAnswer
	if err := json.Unmarshal(data, &a); err != nil {
		return exchange.Reply{}, fmt.Errorf("command %s: cannot read the answer of node %s: %w", cmd.Type, to.Node, err)
	}
	return a.outcome(cmd.Type, to.Node)
}

// outcome is what the caller of the hop gets: what it would have got on the other
// node. No reply stays none, as it decides whether the command may be sent again.
func (a hopAnswer) outcome(typ, node string) (reply exchange.Reply, err error) {
	if a.Reply != nil {
		reply = *a.Reply
	}
	switch {
	case a.Kind > 0 && a.Kind < len(hopErrors):
		return reply, fmt.Errorf("command %s by way of node %s: %w", typ, node, hopErrors[a.Kind])
	case a.Error != "":
		return reply, fmt.Errorf("command %s by way of node %s: %s", typ, node, a.Error)
	case a.Reply == nil:
		return reply, fmt.Errorf("command %s by way of node %s: its answer is empty", typ, node)
	}
	return reply, nil
}

// parts passes intermediate replies on; nil if each is.
func parts(each func(exchange.Reply) error) func([]byte) error {
	if each == nil {
		return nil
	}
	return func(data []byte) error {
		var r exchange.Reply
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		return each(r)
	}
}

// land sends a command that came by way of another node.
func (c *Controller) land(ctx context.Context, data []byte, part func([]byte) error) ([]byte, error) {
	var q hopRequest
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.Left)
	defer cancel()
	var a hopAnswer
	_, l, found := c.registry.find(q.Channel)
	err := errNotSent
	if found && l != nil {
		var reply exchange.Reply
		reply, err = l.call(ctx, q.Command, c.o.Refuse, replies(part))
		c.tally.command(reply, err)
		if reply.Status != "" {
			a.Reply = &reply
		}
	}
	if err != nil {
		a.Error = err.Error()
		for i, known := range hopErrors[1:] {
			if errors.Is(err, known) {
				a.Kind = i + 1
			}
		}
	}
	return exchange.Encode(a)
}

// replies sends intermediate replies back; nil if part is.
func replies(part func([]byte) error) func(exchange.Reply) error {
	if part == nil {
		return nil
	}
	return func(r exchange.Reply) error {
		data, err := exchange.Encode(r)
		if err != nil {
			return err
		}
		return part(data)
	}
}

// subject is what a node serves.
func (c *Controller) subject(node string) string { return c.o.Identifier + "/node/" + node }
