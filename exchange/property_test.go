package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// step is one act of a random history of two endpoints.
type step struct {
	from   int           // the calling end
	typ    string        // of the command
	pause  time.Duration // before the next step
	giveUp time.Duration // after which the caller's context ends
	cancel bool          // by cancellation instead of deadline
	stream bool
	slow   time.Duration // that the stream's function takes
}

func drawStep(t *rapid.T) step {
	ms := func(limit int, name string) time.Duration {
		return time.Duration(rapid.IntRange(0, limit).Draw(t, name)) * time.Millisecond
	}
	return step{
		from:   rapid.IntRange(0, 1).Draw(t, "from"),
		typ:    rapid.SampledFrom([]string{"ECHO", "FAIL", "PANIC", "EXIT", "HANG", "COUNT", "SLEEP", "TURN", "KNOWN", "NOBODY"}).Draw(t, "type"),
		pause:  ms(5, "pause"),
		giveUp: 1 + ms(30, "giveUp"),
		cancel: rapid.Bool().Draw(t, "cancel"),
		stream: rapid.Bool().Draw(t, "stream"),
		slow:   ms(3, "slow"),
	}
}

// history is what became of each command.
type history struct {
	mu       sync.Mutex
	outcomes map[string]int // by command ID
	faults   []string
}

func (h *history) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

// mux is testMux and types that take time.
func (h *history) mux() *Mux {
	m := testMux()
	m.Handle("SLEEP", func(ctx context.Context, _ *Request) (any, error) {
		time.Sleep(3 * time.Millisecond)
		return nil, ctx.Err()
	})
	var turn sync.Mutex
	m.HandleOrdered("TURN", func(context.Context, *Request) (any, error) {
		if !turn.TryLock() {
			h.fault("two ordered handlers at once")
			return nil, nil
		}
		defer turn.Unlock()
		time.Sleep(2 * time.Millisecond)
		return nil, nil
	})
	return m
}

// TestEveryCommandHasOneOutcome lets two endpoints live through a random history
// of calls, cancels, timeouts, panics, slow consumers and a close at a random
// moment. Each call returns exactly once, with an outcome that is allowed for
// it, and nothing is left behind.
func TestEveryCommandHasOneOutcome(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 60).Draw(rt, "steps")
		windows := [2]int{rapid.IntRange(1, 6).Draw(rt, "window 0"), rapid.IntRange(1, 6).Draw(rt, "window 1")}
		refuse := rapid.Bool().Draw(rt, "refuse")
		closeAt := time.Duration(rapid.IntRange(0, 200).Draw(rt, "close after")) * time.Millisecond
		closer := rapid.IntRange(0, 1).Draw(rt, "closer")
		atEnd := rapid.Bool().Draw(rt, "close at the end")
		hard := rapid.Bool().Draw(rt, "hard")

		h := &history{outcomes: make(map[string]int)}
		synctest.Test(t, func(t *testing.T) {
			x, y := Pipe()
			ctx, kill := context.WithCancel(context.Background())
			defer kill()
			var ends [2]*Endpoint
			for i, ch := range []Channel{x, y} {
				ends[i] = NewEndpoint(ch, Options{Handlers: h.mux(), Window: windows[i], Refuse: refuse, StreamBuffer: 3})
				go ends[i].Run(ctx)
			}
			end := func() {
				if hard {
					kill()
				}
				ends[closer].Close()
			}
			if !atEnd {
				time.AfterFunc(closeAt, end)
			}
			var calls sync.WaitGroup
			for i, s := range steps {
				calls.Go(func() { h.call(ends[s.from], fmt.Sprint(i), s) })
				time.Sleep(s.pause)
			}
			calls.Wait()
			if atEnd {
				time.Sleep(time.Second) // for the handlers of abandoned calls
				h.idle(ends)
				end()
			}
			<-ends[0].Done()
			<-ends[1].Done()
			h.idle(ends)
		})
		if len(h.outcomes) != len(steps) {
			h.fault("%d outcomes of %d commands", len(h.outcomes), len(steps))
		}
		for _, fault := range h.faults {
			rt.Error(fault)
		}
	})
}

// idle finds fault with endpoints that still do or hold something.
func (h *history) idle(ends [2]*Endpoint) {
	for i, e := range ends {
		if s := e.Stats(); s.InFlight != 0 || s.Handling != 0 {
			h.fault("end %d: %+v", i, s)
		}
		if len(e.slots) != 0 {
			h.fault("end %d: %d slots still taken", i, len(e.slots))
		}
	}
}

// call makes one call and judges its outcome.
func (h *history) call(e *Endpoint, id string, s step) {
	ctx, cancel := context.WithCancel(context.Background())
	if s.cancel {
		time.AfterFunc(s.giveUp, cancel)
	} else {
		ctx, cancel = context.WithTimeout(ctx, s.giveUp)
	}
	defer cancel()
	cmd := Command{ID: id, Type: s.typ}
	if s.typ == "COUNT" {
		cmd.Payload = []byte(`5`)
	}
	var reply Reply
	var err error
	ended, seen := false, 0
	if s.stream {
		reply, err = e.Stream(ctx, cmd, func(r Reply) error {
			if ended || string(r.Payload) != fmt.Sprint(seen) {
				h.fault("command %s: reply %s out of turn", id, r.Payload)
			}
			seen++
			time.Sleep(s.slow)
			return nil
		})
		ended = true
	} else {
		reply, err = e.Call(ctx, cmd)
	}
	h.mu.Lock()
	h.outcomes[id]++
	n := h.outcomes[id]
	h.mu.Unlock()
	switch {
	case n != 1:
		h.fault("command %s: %d outcomes", id, n)
	case err == nil && (reply.CommandID != id || !reply.Status.Terminal()):
		h.fault("command %s: ended with %+v", id, reply)
	case err == nil && reply.Status == Succeeded && s.stream && s.typ == "COUNT" && seen != 5:
		h.fault("command %s: succeeded after %d of 5 replies", id, seen)
	case err == nil, errors.Is(err, ErrClosed), errors.Is(err, ErrBusy), errors.Is(err, ErrTimeout), errors.Is(err, context.Canceled):
	case errors.Is(err, ErrUnknown) && s.typ == "NOBODY", errors.Is(err, ErrNoReply) && s.typ == "KNOWN":
	case errors.Is(err, ErrSlowConsumer) && s.typ == "COUNT":
	default:
		h.fault("command %s of type %s: %v", id, s.typ, err)
	}
}
