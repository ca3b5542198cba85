package exchange

import (
	"errors"
	"fmt"
)

// outgoing is a frame on its way to the writer, with what it belongs to.
type outgoing struct {
	frame Frame
	call  *call // of a command of ours: not sent any more once its caller has gone
	work  *work // of a reply of ours; its window slot is free when the terminal reply leaves
}

// write sends what is queued, cancels and refusals first.
func (e *Endpoint) write() {
	for {
		for f, ok := e.nextControl(); ok; f, ok = e.nextControl() {
			if !e.send(outgoing{frame: f}) {
				return
			}
		}
		select {
		case <-e.wake:
		case o := <-e.out:
			if !e.send(o) {
				return
			}
		case <-e.closing:
			e.flush()
			return
		case <-e.gone:
			return
		}
	}
}

// flush sends what is queued and the replies of the handlers that are ending,
// and closes the channel. Close has set a timer that closes it in any case.
func (e *Endpoint) flush() {
	defer func() {
		e.sending.Lock() // after what a handler is sending itself
		defer e.sending.Unlock()
		CloseWith(e.ch, e.code, e.why) // set before closing was
	}()
	for {
		for f, ok := e.nextControl(); ok; f, ok = e.nextControl() {
			if !e.send(outgoing{frame: f}) {
				return
			}
		}
		if len(e.out) == 0 && e.Stats().Handling == 0 {
			return
		}
		select {
		case <-e.wake:
		case o := <-e.out:
			if !e.send(o) {
				return
			}
		case <-e.gone:
			return
		}
	}
}

// send hands one frame to the channel; false means that the channel is dead.
func (e *Endpoint) send(o outgoing) bool {
	e.sending.Lock()
	defer e.sending.Unlock()
	return e.sendLocked(o)
}

// trySend is send from where waiting for the channel does no harm, if nobody
// else is sending just now. It saves the way through the writer.
func (e *Endpoint) trySend(o outgoing) (taken bool) {
	if !e.sending.TryLock() {
		return false
	}
	defer e.sending.Unlock()
	e.sendLocked(o)
	select {
	case <-e.closing:
		signal(e.wake) // flush may be waiting for this
	default:
	}
	return true
}

func (e *Endpoint) sendLocked(o outgoing) bool {
	if o.call != nil && !e.claim(o.call) {
		return true
	}
	if o.work != nil && o.frame.Reply.Status.Terminal() {
		// Before Send: the other side may use the slot as soon as it has the reply.
		e.release(o.work)
	}
	err := e.ch.Send(o.frame)
	if errors.Is(err, ErrTooLarge) {
		return e.tooLarge(o, err)
	}
	if err != nil {
		e.cannotSend(err)
		return false
	}
	e.sent.Add(1)
	return true
}

// cannotSend leaves it to Recv, for a moment, to tell why the channel ended.
func (e *Endpoint) cannotSend(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shut {
		return
	}
	e.broken = fmt.Errorf("cannot send: %w", err)
	e.closeLater(CloseInternal, "")
}

// tooLarge confines a frame over the channel's limit to the command it is of.
func (e *Endpoint) tooLarge(o outgoing, err error) bool {
	if o.frame.Command != nil {
		if o.call != nil {
			e.fail(o.call, fmt.Errorf("command %s: %w", o.frame.Command.Type, err))
		}
		return true
	}
	r := *o.frame.Reply
	e.o.Observe(Event{Kind: TooLarge, Type: r.Type, ID: r.CommandID, Detail: err.Error()})
	if !r.Status.Terminal() {
		o.work.abort("an intermediate reply was refused: " + err.Error())
		return true
	}
	r.Status, r.Payload, r.ErrorDetails = Failed, nil, "the reply was refused: "+err.Error()
	return e.ch.Send(Frame{Reply: &r}) == nil
}

// nextControl takes the oldest cancel or refusal.
func (e *Endpoint) nextControl() (Frame, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.control) == 0 {
		return Frame{}, false
	}
	f := e.control[0]
	e.control = e.control[1:]
	if len(e.control) == 0 {
		e.control = nil
	}
	signal(e.room)
	return f, true
}

// pushControl queues a frame ahead of all others; e.mu must be held.
func (e *Endpoint) pushControl(f Frame) {
	e.control = append(e.control, f)
	signal(e.wake)
}

// signal leaves a note in a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
