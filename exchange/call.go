package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// call is one command of ours in flight. All fields but ready are guarded by
// Endpoint.mu. A call is settled exactly once.
type call struct {
	id      string
	stream  bool          // intermediate replies are wanted
	ready   chan struct{} // settled, or queue has something
	claimed bool          // the writer has taken it: the other side may know of it
	settled bool
	queue   []Reply // intermediate, in order
	bytes   int     // payloads of queue
	reply   Reply   // terminal
	err     error
}

// Call sends cmd and waits for its terminal reply, dropping intermediate ones.
// A missing ID is filled in; ctx's deadline (or Options.Timeout) travels as
// ExpiresAt, unless cmd has an earlier one. When that time or ctx ends first, a
// CANCEL is sent and ErrTimeout or ctx's error returned. An ERROR reply is a
// value, not an error: see Reply.Err; only UNKNOWN and NO_REPLY come back as
// ErrUnknown and ErrNoReply. A command whose time by the wall clock was over
// when it arrived, but not by the caller's patience, is sent again by what the
// clock says now.
func (e *Endpoint) Call(ctx context.Context, cmd Command) (Reply, error) {
	return e.do(ctx, cmd, nil)
}

// Stream is Call that hands every intermediate reply to each, in order, from
// the calling goroutine. An error from each cancels the command and is returned.
// An each that is too slow for its replies ends with ErrSlowConsumer once
// Options.StreamBuffer of them (or MaxBytes) wait; other calls are not delayed
// by it.
func (e *Endpoint) Stream(ctx context.Context, cmd Command, each func(Reply) error) (Reply, error) {
	return e.do(ctx, cmd, each)
}

// maxLate is how often a command is sent again that was refused as too late
// though its time is not over: the wall clock was set while it was under way.
const maxLate = 2

func (e *Endpoint) do(ctx context.Context, cmd Command, each func(Reply) error) (Reply, error) {
	until := e.until(ctx, &cmd)
	for late := 0; ; late++ {
		reply, err := e.once(ctx, cmd, until, each)
		if err != nil || !saysExpired(reply) || late == maxLate || cmd.ExpiresAt != nil || time.Until(until) <= 0 {
			return reply, err
		}
	}
}

// once sends cmd one time.
func (e *Endpoint) once(ctx context.Context, cmd Command, until time.Time, each func(Reply) error) (Reply, error) {
	if err := ctx.Err(); err != nil {
		return Reply{}, callError(&cmd, err)
	}
	if cmd.ID == "" {
		cmd.ID = NewID()
	}
	now := time.Now()
	left := until.Sub(now)
	if cmd.ExpiresAt == nil {
		expires := now.Add(left) // by the wall clock of now: it may have been set since ctx was made
		cmd.ExpiresAt = &expires
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	if err := e.acquire(ctx, timer.C); err != nil {
		return Reply{}, callError(&cmd, err)
	}
	defer func() { <-e.slots }()

	c := &call{id: cmd.ID, stream: each != nil, ready: make(chan struct{}, 1)}
	if err := e.register(c); err != nil {
		return Reply{}, callError(&cmd, err)
	}
	defer e.fail(c, ErrClosed) // if each panics; else the call is settled by then

	if err := e.enqueue(ctx, timer.C, outgoing{frame: Frame{Command: &cmd}, call: c}); err != nil {
		e.fail(c, err)
	}
	if err := e.await(ctx, timer.C, c, each); err != nil {
		e.fail(c, err)
		return Reply{}, err
	}
	return e.outcome(&cmd, c)
}

// until is when the caller's patience ends. cmd.ExpiresAt is kept only where it
// is earlier.
func (e *Endpoint) until(ctx context.Context, cmd *Command) time.Time {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(e.o.Timeout)
	}
	if cmd.ExpiresAt != nil && cmd.ExpiresAt.Before(until) {
		return *cmd.ExpiresAt
	}
	cmd.ExpiresAt = nil
	return until
}

// acquire takes a slot of the outbound window.
func (e *Endpoint) acquire(ctx context.Context, timeout <-chan time.Time) error {
	select {
	case e.slots <- struct{}{}:
		return nil
	default:
	}
	if e.o.Refuse {
		return ErrBusy
	}
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout:
		return ErrTimeout
	case <-e.closing:
		return ErrClosed
	case <-e.gone:
		return ErrClosed
	}
}

func (e *Endpoint) register(c *call) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.shut || e.closed:
		return ErrClosed
	case e.calls[c.id] != nil:
		return ErrDuplicate
	}
	e.calls[c.id] = c
	return nil
}

// enqueue hands a command to the writer.
func (e *Endpoint) enqueue(ctx context.Context, timeout <-chan time.Time, o outgoing) error {
	select {
	case e.out <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout:
		return ErrTimeout
	case <-e.gone:
		return ErrClosed
	}
}

// await hands out intermediate replies until the call is settled, be it because
// ctx or the time ended. An error is one that each returned.
func (e *Endpoint) await(ctx context.Context, timeout <-chan time.Time, c *call, each func(Reply) error) error {
	for {
		select {
		case <-c.ready:
		case <-ctx.Done():
			e.fail(c, ctx.Err())
		case <-timeout:
			e.fail(c, ErrTimeout)
		}
		queue, settled := e.take(c)
		for _, r := range queue {
			if err := each(r); err != nil {
				return err
			}
		}
		if settled {
			return nil
		}
	}
}

func (e *Endpoint) take(c *call) (queue []Reply, settled bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	queue, c.queue, c.bytes = c.queue, nil, 0
	return queue, c.settled
}

// outcome is what the caller of a settled call gets.
func (e *Endpoint) outcome(cmd *Command, c *call) (Reply, error) {
	e.mu.Lock()
	reply, err := c.reply, c.err
	e.mu.Unlock()
	if err != nil {
		return Reply{}, callError(cmd, err)
	}
	switch reply.Type {
	case TypeUnknown:
		return reply, callError(cmd, ErrUnknown)
	case TypeNoReply:
		return reply, callError(cmd, ErrNoReply)
	}
	return reply, nil
}

// callError names the command in an error of the exchange and leaves an error
// of the caller's own function as it is.
func callError(cmd *Command, err error) error {
	switch err { //nolint:errorlint // an error of the caller's own that wraps one of these stays as it is
	case context.DeadlineExceeded, ErrTimeout:
		return fmt.Errorf("command %s: %w (%w)", cmd.Type, ErrTimeout, context.DeadlineExceeded)
	case context.Canceled, ErrClosed, ErrBusy, ErrUnknown, ErrNoReply, ErrSlowConsumer, ErrDuplicate:
		return fmt.Errorf("command %s: %w", cmd.Type, err)
	}
	return err
}

// reply delivers a reply of the other side. Called by the receive goroutine.
func (e *Endpoint) reply(r *Reply) {
	e.mu.Lock()
	c := e.calls[r.CommandID]
	switch {
	case c == nil:
	case r.Status.Terminal():
		e.settle(c, *r, nil)
	case c.stream && len(c.queue) > 0 && (len(c.queue) >= e.o.StreamBuffer || c.bytes+len(r.Payload) > e.o.MaxBytes):
		e.settle(c, Reply{}, ErrSlowConsumer)
		e.pushControl(cancelFrame(c.id))
	case c.stream:
		c.queue = append(c.queue, *r)
		c.bytes += len(r.Payload)
		signal(c.ready)
	}
	e.mu.Unlock()
	if c == nil {
		e.late.Add(1)
		e.o.Observe(Event{Kind: LateReply, Type: r.Type, ID: r.CommandID, Detail: r.ErrorDetails})
	}
}

// settle gives c its one outcome; e.mu must be held and c be unsettled.
func (e *Endpoint) settle(c *call, r Reply, err error) {
	c.settled, c.reply, c.err = true, r, err
	delete(e.calls, c.id)
	signal(c.ready)
}

// fail settles c with err, unless it has an outcome already, and cancels it on
// the other side if that may know of it.
func (e *Endpoint) fail(c *call, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.settled {
		return
	}
	e.settle(c, Reply{}, err)
	if c.claimed && !e.shut && !errors.Is(err, ErrTooLarge) {
		// At most one cancel per command sent, and none is sent while the
		// writer is stuck: the window bounds the queue.
		e.pushControl(cancelFrame(c.id))
	}
}

// claim marks c as sent; false if its caller has gone already.
func (e *Endpoint) claim(c *call) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.claimed = true
	return !c.settled
}
