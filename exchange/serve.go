package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// work is one command of the other side being handled.
type work struct {
	cmd    *Command
	ctx    context.Context
	cancel context.CancelFunc

	failed atomic.Pointer[string] // why the work fails whatever its handler says

	mu     sync.Mutex // guards all below; held while an intermediate reply is queued
	queued bool       // there were intermediate replies, which may still be queued
	over   bool       // the terminal reply is queued: no progress after it
}

// abort makes the work fail whatever its handler says.
func (w *work) abort(reason string) {
	w.failed.Store(&reason) // first: its handler may be over as soon as it is cancelled
	w.cancel()
}

// command takes in a command of the other side. Called by the receive
// goroutine. An error is fatal to the channel.
func (e *Endpoint) command(cmd *Command) error {
	switch {
	case cmd.Type == TypeCancel:
		e.cancelWork(cmd)
		return nil
	case cmd.ID == "":
		e.drop(Event{Kind: Malformed, Type: cmd.Type, Detail: "a command needs an id"})
		return nil
	}
	if reply, refused := e.o.Handlers.refuse(cmd); refused {
		return e.refuse(reply)
	}
	if expired(cmd) {
		return e.refuse(e.tooLate(cmd))
	}
	w, err := e.admit(cmd)
	if err != nil || w == nil {
		return err
	}
	if !e.o.Handlers.ordered[cmd.Type] {
		e.wg.Go(func() { e.handle(w) })
		return nil
	}
	e.mu.Lock()
	e.ordered = append(e.ordered, w)
	first := len(e.ordered) == 1
	e.mu.Unlock()
	if first {
		e.wg.Go(func() { e.handleOrdered(w) })
	}
	return nil
}

// admit makes room in the inbound window; nil if the command is not to be run.
func (e *Endpoint) admit(cmd *Command) (*work, error) {
	e.mu.Lock()
	twin, closed := e.work[cmd.ID] != nil, e.closed
	full := len(e.work) >= e.o.Window || len(e.work) > 0 && e.bytes+len(cmd.Payload) > e.o.MaxBytes
	var w *work
	if !twin && !full && !closed {
		w = &work{cmd: cmd}
		if cmd.ExpiresAt != nil {
			w.ctx, w.cancel = context.WithDeadline(e.handlers, *cmd.ExpiresAt)
		} else {
			w.ctx, w.cancel = context.WithCancel(e.handlers)
		}
		e.work[cmd.ID] = w
		e.bytes += len(cmd.Payload)
	}
	e.mu.Unlock()
	switch {
	case twin:
		e.drop(Event{Kind: DuplicateCommand, Type: cmd.Type, ID: cmd.ID})
	case closed:
		return nil, e.refuse(failure(cmd, "the channel is closing"))
	case full:
		e.refused.Add(1)
		e.o.Observe(Event{Kind: Overload, Type: cmd.Type, ID: cmd.ID})
		return nil, e.refuse(failure(cmd, "busy: too many commands in flight; try again later"))
	}
	return w, nil
}

// refuse answers at once, from the receive goroutine. The answers wait in a
// bounded queue. A side that sends commands but does not read the refusals is
// waited for no longer than the call timeout: then the channel ends.
func (e *Endpoint) refuse(r Reply) error {
	if e.tryRefuse(r) {
		return nil
	}
	patience := time.NewTimer(e.o.Timeout)
	defer patience.Stop()
	for !e.tryRefuse(r) {
		select {
		case <-e.room:
		case <-e.closing:
			return nil
		case <-e.handlers.Done():
			return nil
		case <-patience.C:
			return fmt.Errorf("the other side sends commands but has not read its replies for %v", e.o.Timeout)
		}
	}
	return nil
}

func (e *Endpoint) tryRefuse(r Reply) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.control) >= 2*e.o.Window {
		return false
	}
	e.pushControl(Frame{Reply: &r})
	return true
}

// tooLate is the answer to an expired command.
func (e *Endpoint) tooLate(cmd *Command) Reply {
	e.expired.Add(1)
	e.o.Observe(Event{Kind: ExpiredCommand, Type: cmd.Type, ID: cmd.ID})
	return expiredReply(cmd)
}

// handle runs one command to its one terminal reply. The reply is sent by a
// deferred call, so that even a handler that ends its goroutine is answered.
func (e *Endpoint) handle(w *work) {
	reply := failure(w.cmd, "internal error: the handler of "+w.cmd.Type+" ended its goroutine")
	defer func() { e.finish(w, &reply) }()
	switch { // it may have waited for its turn
	case expired(w.cmd):
		reply = e.tooLate(w.cmd)
		return
	case w.ctx.Err() != nil:
		reply = failure(w.cmd, "cancelled before it was run")
		return
	}
	progress := func(r Reply) error { return e.progress(w, &r) }
	reply = e.o.Handlers.run(w.ctx, w.cmd, progress, e.observeHandler)
}

// handleOrdered runs one command of an ordered type and then starts the next.
func (e *Endpoint) handleOrdered(w *work) {
	defer func() {
		e.mu.Lock()
		e.ordered[0] = nil
		e.ordered = e.ordered[1:]
		var next *work
		if len(e.ordered) > 0 {
			next = e.ordered[0]
		}
		e.mu.Unlock()
		if next != nil {
			e.wg.Go(func() { e.handleOrdered(next) })
		}
	}()
	e.handle(w)
}

func (e *Endpoint) observeHandler(ev Event) {
	e.panics.Add(1)
	e.o.Observe(ev)
}

// progress queues an intermediate reply.
func (e *Endpoint) progress(w *work, r *Reply) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return fmt.Errorf("command %s is over", w.cmd.Type)
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	select {
	case e.out <- outgoing{frame: Frame{Reply: r}, work: w}:
		w.queued = true
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	case <-e.gone:
		return ErrClosed
	}
}

// finish sends or queues the terminal reply; the slot is released when it leaves.
func (e *Endpoint) finish(w *work, r *Reply) {
	w.mu.Lock()
	w.over = true
	inOrder := !w.queued
	w.mu.Unlock()
	if why := w.failed.Load(); why != nil {
		*r = failure(w.cmd, *why)
	}
	if e.interrupted(r) {
		w.cancel()
		e.release(w)
		signal(e.wake) // flush may be waiting for this
		return
	}
	w.cancel()
	o := outgoing{frame: Frame{Reply: r}, work: w}
	if inOrder && e.trySend(o) {
		return
	}
	select {
	case e.out <- o:
	case <-e.gone:
		e.release(w)
	}
}

// interrupted reports whether r is a failure of a handler that ended when this
// side was closing already. It may be due to that, and then says nothing about the
// command's effect. So it is not sent: who hears nothing knows that it cannot know.
func (e *Endpoint) interrupted(r *Reply) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed && r.Status == Failed
}

// release frees the window slot of w.
func (e *Endpoint) release(w *work) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.work, w.cmd.ID)
	e.bytes -= len(w.cmd.Payload)
}

// cancelWork ends the context of the handler that a CANCEL names; a command
// that is over or was never here is none of its business.
func (e *Endpoint) cancelWork(cmd *Command) {
	var p cancelPayload
	if err := json.Unmarshal(cmd.Payload, &p); err != nil || p.CommandID == "" {
		e.drop(Event{Kind: Malformed, Type: TypeCancel, ID: cmd.ID, Detail: "payload is {commandId}"})
		return
	}
	e.mu.Lock()
	w := e.work[p.CommandID]
	e.mu.Unlock()
	if w != nil {
		w.cancel()
	}
}
