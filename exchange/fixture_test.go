package exchange

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pair is two endpoints on a pipe, running.
type pair struct {
	ends   [2]*Endpoint
	events [2][]Event
	mu     sync.Mutex
}

// newPair starts both ends; the returned stop closes end 0 and waits for both.
func newPair(t *testing.T, options [2]Options) (p *pair, stop func()) {
	t.Helper()
	p = &pair{}
	a, b := Pipe()
	var wg sync.WaitGroup
	for i, ch := range []Channel{a, b} {
		options[i].Observe = func(ev Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events[i] = append(p.events[i], ev)
		}
		e := NewEndpoint(ch, options[i])
		p.ends[i] = e
		wg.Go(func() {
			if err := e.Run(context.Background()); err != nil {
				t.Errorf("end %d: Run: %v", i, err)
			}
		})
	}
	return p, func() {
		p.ends[0].Close()
		wg.Wait()
		for i, e := range p.ends {
			if s := e.Stats(); s.InFlight != 0 || s.Handling != 0 {
				t.Errorf("end %d after the end: %+v", i, s)
			}
		}
	}
}

func (p *pair) saw(end int, kind EventKind) []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Event
	for _, ev := range p.events[end] {
		if ev.Kind == kind {
			found = append(found, ev)
		}
	}
	return found
}

type deniedError struct{ reason string }

func (e deniedError) Error() string   { return "denied: " + e.reason }
func (e deniedError) Details() string { return e.reason }

// testMux answers the types that the tests send.
func testMux() *Mux {
	m := &Mux{}
	m.Handle("ECHO", func(_ context.Context, req *Request) (any, error) { return req.Payload, nil })
	m.Handle("FAIL", func(context.Context, *Request) (any, error) { return nil, errors.New("disk full") })
	m.Handle("DENY", func(context.Context, *Request) (any, error) { return nil, deniedError{"role viewer"} })
	m.Handle("PANIC", func(context.Context, *Request) (any, error) { panic("secret inside") })
	m.Handle("EXIT", func(context.Context, *Request) (any, error) { runtime.Goexit(); return nil, nil })
	m.Handle("BAD", func(context.Context, *Request) (any, error) { return make(chan int), nil })
	m.Handle("HANG", func(ctx context.Context, _ *Request) (any, error) {
		<-ctx.Done()
		time.Sleep(time.Millisecond) // after the caller, which has the same deadline
		return nil, ctx.Err()
	})
	m.Handle("COUNT", func(ctx context.Context, req *Request) (any, error) {
		var n int
		if err := req.Decode(&n); err != nil {
			return nil, err
		}
		req.ReplyType = "DATA"
		for i := range n {
			if err := req.Progress(i); err != nil {
				return nil, err
			}
		}
		return n, nil
	})
	m.Know("KNOWN")
	return m
}

func command(t testing.TB, typ string, v any) Command {
	t.Helper()
	cmd, err := NewCommand(typ, v)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// bothWays runs f with each end as the caller, in a bubble.
func bothWays(t *testing.T, f func(t *testing.T, p *pair, from int)) {
	t.Helper()
	for from := range 2 {
		t.Run(fmt.Sprintf("from end %d", from), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := newPair(t, [2]Options{{Handlers: testMux()}, {Handlers: testMux()}})
				defer stop()
				f(t, p, from)
			})
		})
	}
}

// limited is a channel that refuses payloads over 1000 bytes.
type limited struct{ Channel }

func (l limited) Send(f Frame) error {
	if f.Command != nil && len(f.Command.Payload) > 1000 || f.Reply != nil && len(f.Reply.Payload) > 1000 {
		return fmt.Errorf("%w: over 1000 bytes", ErrTooLarge)
	}
	return l.Channel.Send(f)
}

func drain(ch Channel) {
	for {
		if _, err := ch.Recv(); err != nil {
			return
		}
	}
}
