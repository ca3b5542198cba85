package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

const (
	// streamQueue is how many frames wait for a subscriber.
	streamQueue = 256
	// firstFrame is how long the response's header waits for the first frame, so
	// that an error at once still gets its own status.
	firstFrame = 250 * time.Millisecond
	// lastChance is how long after being cut off a subscriber may still read
	// what was queued, and the marker.
	lastChance = 20 * time.Second
)

// Kinds of frames.
const (
	frameProgress = "progress" // an intermediate reply
	frameResult   = "result"   // the terminal reply
	frameError    = "error"    // the terminal error
	frameCutOff   = "cutoff"   // the subscriber was too slow; frames were not sent
)

// frame is one message of a stream.
type frame struct {
	kind string
	data json.RawMessage
}

// subscription is one client's stream: a command that runs in its own
// goroutine, a bounded queue, and the request's goroutine that writes.
type subscription struct {
	frames chan frame
	stall  time.Duration
	cut    atomic.Bool
}

// stream runs cmd and writes its replies as frames. The client's going cancels
// the command; a client that does not read for Options.Stall is cut off.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, cmd exchange.Command, f format) {
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	ctx, cancel := context.WithCancel(r.Context())
	sub := &subscription{frames: make(chan frame, streamQueue), stall: s.opts.Stall}
	go sub.run(ctx, s.opts.Commands, cmd)
	out := &streamWriter{w: w, rc: http.NewResponseController(w), format: f, patience: s.opts.Stall + lastChance}
	out.writeAll(sub.frames, s.opts.Heartbeat)
	cancel()
	for range sub.frames { // ends when run has
	}
	if sub.cut.Load() {
		s.metrics.cutOff.Inc()
	}
}

// run dispatches the command and closes the queue behind its last frame.
func (sub *subscription) run(ctx context.Context, d Dispatcher, cmd exchange.Command) {
	defer close(sub.frames)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reply := d.Dispatch(ctx, cmd, func(p exchange.Reply) error {
		err := sub.put(ctx, frame{frameProgress, orEmpty(p.Payload)})
		if err != nil {
			cancel()
		}
		return err
	})
	sub.frames <- sub.last(reply)
}

// put queues a frame, waiting for a slow subscriber as long as its stall allows.
func (sub *subscription) put(ctx context.Context, f frame) error {
	select {
	case sub.frames <- f:
		return nil
	default:
	}
	t := time.NewTimer(sub.stall)
	defer t.Stop()
	select {
	case sub.frames <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		sub.cut.Store(true)
		return control.Errorf(control.CodeFailed, "the subscriber did not read for %v", sub.stall)
	}
}

// last is the frame that ends the stream.
func (sub *subscription) last(reply exchange.Reply) frame {
	if sub.cut.Load() {
		return frame{frameCutOff, asJSON(failure{control.Errorf(control.CodeFailed, "cut off: the stream was not read for %v; ask again from the last item seen", sub.stall)})}
	}
	if err := control.ReplyError(reply); err != nil {
		return frame{frameError, asJSON(control.AsError(err))}
	}
	return frame{frameResult, orEmpty(reply.Payload)}
}

// asJSON encodes one of the package's own values.
func asJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`{"code":"failed","message":"the error's details are no JSON"}`)
	}
	return b
}

// streamWriter writes frames to one response.
type streamWriter struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	format   format
	patience time.Duration // for one write
	begun    bool
}

// writeAll writes frames until their end or the first write that fails.
func (o *streamWriter) writeAll(frames <-chan frame, heartbeat time.Duration) {
	t := time.NewTimer(firstFrame)
	defer t.Stop()
	for {
		var b []byte
		select {
		case f, ok := <-frames:
			if !ok {
				return
			}
			if !o.begun && f.kind == frameError {
				o.refuse(f)
				return
			}
			b = o.format.frame(f)
		case <-t.C:
			b = o.format.heartbeat()
		}
		if o.write(b, len(frames) == 0) != nil {
			return
		}
		t.Reset(heartbeat)
	}
}

// refuse answers with an error's own status instead of a stream.
func (o *streamWriter) refuse(f frame) {
	var e control.Error
	if err := json.Unmarshal(f.data, &e); err != nil {
		e = control.Error{Code: control.CodeFailed, Message: err.Error()}
	}
	writeErr(o.w, &e)
}

func (o *streamWriter) write(b []byte, flush bool) error {
	if !o.begun {
		o.begun = true
		h := o.w.Header()
		h.Set("Content-Type", o.format.contentType())
		h.Set("X-Accel-Buffering", "no")
		o.w.WriteHeader(http.StatusOK)
	}
	_ = o.rc.SetWriteDeadline(time.Now().Add(o.patience))
	if _, err := o.w.Write(b); err != nil {
		return err
	}
	if !flush {
		return nil
	}
	return o.rc.Flush()
}
