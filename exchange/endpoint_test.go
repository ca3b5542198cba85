package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
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

func TestCallOutcomes(t *testing.T) {
	tests := []struct {
		typ     string
		payload any
		want    Reply // but for the command ID
		err     error
	}{
		{typ: "ECHO", payload: map[string]int{"n": 1}, want: Reply{Type: "ECHO", Status: Succeeded, Payload: json.RawMessage(`{"n":1}`)}},
		{typ: "ECHO", payload: nil, want: Reply{Type: "ECHO", Status: Succeeded, Payload: json.RawMessage(`{}`)}},
		{typ: "FAIL", want: Reply{Type: "FAIL", Status: Failed, ErrorDetails: "disk full"}},
		{typ: "DENY", want: Reply{Type: "DENY", Status: Failed, ErrorDetails: "role viewer"}},
		{typ: "PANIC", want: Reply{Type: "PANIC", Status: Failed, ErrorDetails: "internal error: the handler of PANIC panicked"}},
		{typ: "EXIT", want: Reply{Type: "EXIT", Status: Failed, ErrorDetails: "internal error: the handler of EXIT ended its goroutine"}},
		{typ: "BAD", want: Reply{Type: "BAD", Status: Failed, ErrorDetails: "cannot encode the reply to BAD: json: unsupported type: chan int"}},
		{typ: "COUNT", payload: 3, want: Reply{Type: "DATA", Status: Succeeded, Payload: json.RawMessage(`3`)}},
		{typ: "NOBODY", want: Reply{Type: TypeUnknown, Status: Failed, ErrorDetails: "Command unknown", Payload: json.RawMessage(`{}`)}, err: ErrUnknown},
		{typ: "KNOWN", want: Reply{Type: TypeNoReply, Status: Failed, ErrorDetails: "no handler for commands of type KNOWN"}, err: ErrNoReply},
	}
	for _, tt := range tests {
		t.Run(tt.typ, func(t *testing.T) {
			bothWays(t, func(t *testing.T, p *pair, from int) {
				cmd := command(t, tt.typ, tt.payload)
				got, err := p.ends[from].Call(t.Context(), cmd)
				if !errors.Is(err, tt.err) {
					t.Fatalf("Call error = %v, want %v", err, tt.err)
				}
				tt.want.CommandID = cmd.ID
				if fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("Call = %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

func TestPanicIsObservedWithItsStackButNotSent(t *testing.T) {
	bothWays(t, func(t *testing.T, p *pair, from int) {
		reply, err := p.ends[from].Call(t.Context(), command(t, "PANIC", nil))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(reply.ErrorDetails, "secret") {
			t.Errorf("the panic's text is on the wire: %q", reply.ErrorDetails)
		}
		events := p.saw(1-from, HandlerPanic)
		if len(events) != 1 || !strings.Contains(events[0].Detail, "secret inside") || !strings.Contains(events[0].Detail, "endpoint_test.go") {
			t.Errorf("observed %+v, want one panic with its stack", events)
		}
		if n := p.ends[1-from].Stats().Panics; n != 1 {
			t.Errorf("Panics = %d, want 1", n)
		}
	})
}

func TestStreamKeepsOrder(t *testing.T) {
	bothWays(t, func(t *testing.T, p *pair, from int) {
		var got []string
		reply, err := p.ends[from].Stream(t.Context(), command(t, "COUNT", 200), func(r Reply) error {
			if r.Type != "DATA" || r.Status != InProgress {
				t.Errorf("intermediate reply %+v", r)
			}
			got = append(got, string(r.Payload))
			return nil
		})
		if err != nil || string(reply.Payload) != "200" {
			t.Fatalf("Stream = %+v, %v", reply, err)
		}
		want := make([]string, 200)
		for i := range want {
			want[i] = fmt.Sprint(i)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	})
}

func TestStreamErrorCancels(t *testing.T) {
	bothWays(t, func(t *testing.T, p *pair, from int) {
		enough := errors.New("enough")
		_, err := p.ends[from].Stream(t.Context(), command(t, "COUNT", 1_000_000_000), func(Reply) error { return enough })
		if !errors.Is(err, enough) {
			t.Fatalf("Stream error = %v", err)
		}
		synctest.Wait()
		if s := p.ends[1-from].Stats(); s.Handling != 0 {
			t.Errorf("the handler still runs: %+v", s)
		}
	})
}

func TestSlowConsumerFailsAlone(t *testing.T) {
	bothWays(t, func(t *testing.T, p *pair, from int) {
		e := p.ends[from]
		_, err := e.Stream(t.Context(), command(t, "COUNT", 1_000_000_000), func(Reply) error {
			if _, err := e.Call(t.Context(), command(t, "ECHO", 1)); err != nil {
				t.Errorf("a call beside the slow stream: %v", err)
			}
			time.Sleep(time.Second)
			return nil
		})
		if !errors.Is(err, ErrSlowConsumer) {
			t.Fatalf("Stream error = %v, want ErrSlowConsumer", err)
		}
		synctest.Wait()
		if s := p.ends[1-from].Stats(); s.Handling != 0 {
			t.Errorf("the handler still runs: %+v", s)
		}
	})
}

func TestTimeouts(t *testing.T) {
	deadline := func(d time.Duration) func(*testing.T, *Command) (context.Context, context.CancelFunc) {
		return func(t *testing.T, _ *Command) (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), d)
		}
	}
	tests := []struct {
		name  string
		ctx   func(*testing.T, *Command) (context.Context, context.CancelFunc)
		after time.Duration
		want  error
	}{
		{"of the options", func(t *testing.T, _ *Command) (context.Context, context.CancelFunc) {
			return context.WithCancel(t.Context())
		}, DefaultTimeout, ErrTimeout},
		{"of the context", deadline(5 * time.Second), 5 * time.Second, ErrTimeout},
		{"of the context, as such", deadline(5 * time.Second), 5 * time.Second, context.DeadlineExceeded},
		{"of the command", func(t *testing.T, cmd *Command) (context.Context, context.CancelFunc) {
			at := time.Now().Add(time.Second)
			cmd.ExpiresAt = &at
			return context.WithTimeout(t.Context(), 5*time.Second)
		}, time.Second, ErrTimeout},
		{"cancelled", func(t *testing.T, _ *Command) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(2*time.Second, cancel)
			return ctx, cancel
		}, 2 * time.Second, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, p *pair, from int) {
				start := time.Now()
				cmd := command(t, "HANG", nil)
				ctx, cancel := tt.ctx(t, &cmd)
				defer cancel()
				_, err := p.ends[from].Call(ctx, cmd)
				if !errors.Is(err, tt.want) {
					t.Errorf("Call error = %v, want %v", err, tt.want)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("Call took %v, want %v", took, tt.after)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if s := p.ends[1-from].Stats(); s.Handling != 0 {
					t.Errorf("the handler still runs: %+v", s)
				}
				if s := p.ends[from].Stats(); s.Late != 1 {
					t.Errorf("the late reply was not counted: %+v", s)
				}
			})
		})
	}
}

func TestExpiredCommandIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		ran := false
		m := &Mux{}
		m.Handle("RUN", func(context.Context, *Request) (any, error) { ran = true; return nil, nil })
		e := NewEndpoint(b, Options{Handlers: m})
		go e.Run(t.Context())
		past := time.Now().Add(-time.Second)
		if err := a.Send(Frame{Command: &Command{ID: "1", Type: "RUN", ExpiresAt: &past}}); err != nil {
			t.Fatal(err)
		}
		f, err := a.Recv()
		if err != nil || f.Reply.Status != Failed || !strings.Contains(f.Reply.ErrorDetails, "expired") {
			t.Errorf("Recv = %+v, %v", f.Reply, err)
		}
		if ran || e.Stats().Expired != 1 {
			t.Errorf("ran = %v, stats %+v", ran, e.Stats())
		}
		a.Close()
		<-e.Done()
	})
}

func TestWindow(t *testing.T) {
	hang := func(t *testing.T, e *Endpoint, n int) (cancel func()) {
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { _, _ = e.Call(ctx, command(t, "HANG", nil)) })
		}
		synctest.Wait()
		return func() { stop(); wg.Wait() }
	}
	t.Run("refuses", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, stop := newPair(t, [2]Options{{Window: 2, Refuse: true}, {Handlers: testMux()}})
			defer stop()
			defer hang(t, p.ends[0], 2)()
			if _, err := p.ends[0].Call(t.Context(), command(t, "ECHO", nil)); !errors.Is(err, ErrBusy) {
				t.Errorf("Call error = %v, want ErrBusy", err)
			}
		})
	})
	t.Run("waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, stop := newPair(t, [2]Options{{Window: 2}, {Handlers: testMux()}})
			defer stop()
			free := hang(t, p.ends[0], 2)
			time.AfterFunc(time.Second, free)
			start := time.Now()
			if _, err := p.ends[0].Call(t.Context(), command(t, "ECHO", nil)); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("Call took %v, want 1s", took)
			}
		})
	})
	t.Run("of the other side", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, stop := newPair(t, [2]Options{{Window: 100}, {Handlers: testMux(), Window: 2}})
			defer stop()
			defer hang(t, p.ends[0], 2)()
			for range 50 {
				r, err := p.ends[0].Call(t.Context(), command(t, "ECHO", nil))
				if err != nil || r.Status != Failed || !strings.Contains(r.ErrorDetails, "busy") {
					t.Fatalf("Call = %+v, %v; want a refusal", r, err)
				}
			}
			if n := p.ends[1].Stats().Refused; n != 50 {
				t.Errorf("Refused = %d, want 50", n)
			}
		})
	})
}

func TestBytesOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := newPair(t, [2]Options{{}, {Handlers: testMux(), MaxBytes: 100}})
		defer stop()
		large := strings.Repeat("x", 150)
		if r, err := p.ends[0].Call(t.Context(), command(t, "ECHO", large)); err != nil || r.Status != Succeeded {
			t.Errorf("a large command alone: %+v, %v", r, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go p.ends[0].Call(ctx, command(t, "HANG", large))
		synctest.Wait()
		if r, err := p.ends[0].Call(t.Context(), command(t, "ECHO", nil)); err != nil || !strings.Contains(r.ErrorDetails, "busy") {
			t.Errorf("a command beside it: %+v, %v", r, err)
		}
		cancel()
		time.Sleep(time.Second)
		if r, err := p.ends[0].Call(t.Context(), command(t, "ECHO", large)); err != nil || r.Status != Succeeded {
			t.Errorf("after it: %+v, %v", r, err)
		}
	})
}

func TestBytesOfASlowStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Mux{}
		m.Handle("LARGE", func(_ context.Context, req *Request) (any, error) {
			for range 5 {
				if err := req.Progress(strings.Repeat("x", 60)); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		p, stop := newPair(t, [2]Options{{MaxBytes: 100}, {Handlers: m}})
		defer stop()
		_, err := p.ends[0].Stream(t.Context(), command(t, "LARGE", nil), func(Reply) error {
			time.Sleep(time.Second)
			return nil
		})
		if !errors.Is(err, ErrSlowConsumer) {
			t.Errorf("Stream error = %v, want ErrSlowConsumer", err)
		}
	})
}

// TestBothFlood has each side send far more than the other's window at once.
func TestBothFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := testMux()
		p, stop := newPair(t, [2]Options{{Handlers: m, Window: 3}, {Handlers: m, Window: 500}})
		defer stop()
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				if _, err := p.ends[i%2].Call(t.Context(), command(t, "COUNT", 20)); err != nil {
					t.Errorf("end %d: %v", i%2, err)
				}
			})
		}
		wg.Wait()
	})
}

// TestRefusalsAreBounded has a side that sends and never reads.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		e := NewEndpoint(b, Options{Window: 4})
		ended := make(chan error, 1)
		go func() { ended <- e.Run(t.Context()) }()
		n := 0
		for a.Send(Frame{Command: &Command{ID: fmt.Sprint(n), Type: "X"}}) == nil {
			n++
		}
		if n > 20 {
			t.Errorf("took in %d commands without getting rid of a reply", n)
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "has not read") {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestOrderedHandlersRunOneAtATimeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		m := &Mux{}
		var got []string
		m.HandleOrdered("STATUS", func(_ context.Context, req *Request) (any, error) {
			time.Sleep(time.Duration(20-len(got)) * time.Millisecond)
			got = append(got, req.ID) // no lock: the race detector proves the claim
			if len(got) == 3 {
				runtime.Goexit()
			}
			return nil, nil
		})
		e := NewEndpoint(b, Options{Handlers: m})
		go e.Run(t.Context())
		var want []string
		for i := range 10 {
			id := fmt.Sprint(i)
			want = append(want, id)
			if err := a.Send(Frame{Command: &Command{ID: id, Type: "STATUS"}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range want {
			if f, err := a.Recv(); err != nil || f.Reply.CommandID != id {
				t.Fatalf("Recv = %+v, %v; want the reply to %s", f.Reply, err, id)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("handled in the order %v", got)
		}
		a.Close()
		<-e.Done()
	})
}

func TestEndOfChannel(t *testing.T) {
	boom := errors.New("cable cut")
	tests := []struct {
		name string
		end  func(e *Endpoint, ch *brittle, cancel func())
		want error
	}{
		{"our close", func(e *Endpoint, _ *brittle, _ func()) { e.Close() }, nil},
		{"their close", func(_ *Endpoint, ch *brittle, _ func()) { ch.fail(io.EOF) }, nil},
		{"failure", func(_ *Endpoint, ch *brittle, _ func()) { ch.fail(boom) }, boom},
		{"context", func(_ *Endpoint, _ *brittle, cancel func()) { cancel() }, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := Pipe()
				ch := &brittle{Channel: b, failed: make(chan error, 1)}
				e := NewEndpoint(ch, Options{Handlers: testMux()})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- e.Run(ctx) }()
				go drain(a)
				if err := a.Send(Frame{Command: &Command{ID: "1", Type: "HANG"}}); err != nil {
					t.Fatal(err)
				}
				called := make(chan error, 1)
				go func() {
					_, err := e.Call(t.Context(), command(t, "HANG", nil))
					called <- err
				}()
				synctest.Wait()
				tt.end(e, ch, cancel)
				if err := <-called; !errors.Is(err, ErrClosed) {
					t.Errorf("the waiting call ended with %v, want ErrClosed", err)
				}
				if err := <-ended; !errors.Is(err, tt.want) {
					t.Errorf("Run = %v, want %v", err, tt.want)
				}
				if _, err := e.Call(t.Context(), command(t, "ECHO", nil)); !errors.Is(err, ErrClosed) {
					t.Errorf("a call after the end: %v", err)
				}
				a.Close()
			})
		})
	}
}

// TestCloseSendsTheRepliesOfEndedHandlers: a component that answers its shutdown
// and closes at once must not lose that answer.
func TestCloseSendsTheRepliesOfEndedHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		m := &Mux{}
		var e *Endpoint
		m.Handle("STOP", func(context.Context, *Request) (any, error) {
			e.Close()
			time.Sleep(time.Millisecond)
			return nil, nil
		})
		e = NewEndpoint(b, Options{Handlers: m})
		go e.Run(t.Context())
		caller := NewEndpoint(a, Options{})
		go caller.Run(t.Context())
		start := time.Now()
		reply, err := caller.Call(t.Context(), command(t, "STOP", nil))
		if err != nil || reply.Status != Succeeded {
			t.Errorf("Call = %+v, %v", reply, err)
		}
		<-e.Done()
		if took := time.Since(start); took != time.Millisecond {
			t.Errorf("the end took %v, the handler 1ms", took)
		}
		<-caller.Done()
	})
}

// TestDeafPeerHangsNobody: the other side takes no frame at all.
func TestDeafPeerHangsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b := Pipe()
		e := NewEndpoint(b, Options{})
		go e.Run(t.Context())
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := e.Call(ctx, command(t, "ECHO", nil)); !errors.Is(err, ErrTimeout) {
					t.Errorf("Call error = %v", err)
				}
			})
		}
		wg.Wait()
		e.Close()
		<-e.Done()
		if s := e.Stats(); s.Sent != 0 || s.InFlight != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestMalformedFramesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		e := NewEndpoint(b, Options{Handlers: testMux()})
		go e.Run(t.Context())
		cmd, reply := &Command{ID: "1", Type: "ECHO"}, &Reply{CommandID: "1"}
		for _, f := range []Frame{{}, {Command: cmd, Reply: reply}, {Command: &Command{Type: "ECHO"}}, {Command: &Command{ID: "2", Type: TypeCancel}}} {
			if err := a.Send(f); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if s := e.Stats(); s.Dropped != 4 || s.Sent != 0 {
			t.Errorf("stats %+v", s)
		}
		a.Close()
		<-e.Done()
	})
}

func TestDuplicateIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := newPair(t, [2]Options{{}, {Handlers: testMux()}})
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		cmd := command(t, "HANG", nil)
		go p.ends[0].Call(ctx, cmd)
		synctest.Wait()
		if _, err := p.ends[0].Call(ctx, cmd); !errors.Is(err, ErrDuplicate) {
			t.Errorf("second call with one id: %v", err)
		}
		cancel()
		synctest.Wait()
	})
}

func TestTooLargeFailsItsOwnCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		m := testMux()
		m.Handle("GROW", func(_ context.Context, req *Request) (any, error) {
			return strings.Repeat("x", 2000), nil
		})
		m.Handle("SPILL", func(ctx context.Context, req *Request) (any, error) {
			_ = req.Progress(strings.Repeat("x", 2000))
			<-ctx.Done()
			return nil, nil
		})
		ends := [2]*Endpoint{NewEndpoint(limited{a}, Options{Handlers: m}), NewEndpoint(limited{b}, Options{Handlers: m})}
		for _, e := range ends {
			go e.Run(t.Context())
		}
		if _, err := ends[0].Call(t.Context(), command(t, "ECHO", strings.Repeat("x", 2000))); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a large command: %v", err)
		}
		for _, typ := range []string{"GROW", "SPILL"} {
			r, err := ends[0].Call(t.Context(), command(t, typ, nil))
			if err != nil || r.Status != Failed || !strings.Contains(r.ErrorDetails, "size limit") {
				t.Errorf("%s = %+v, %v", typ, r, err)
			}
		}
		if r, err := ends[0].Call(t.Context(), command(t, "ECHO", 1)); err != nil || r.Status != Succeeded {
			t.Errorf("the channel after it: %+v, %v", r, err)
		}
		ends[0].Close()
		<-ends[1].Done()
		<-ends[0].Done()
	})
}

// limited is a channel that refuses payloads over 1000 bytes.
type limited struct{ Channel }

func (l limited) Send(f Frame) error {
	if f.Command != nil && len(f.Command.Payload) > 1000 || f.Reply != nil && len(f.Reply.Payload) > 1000 {
		return fmt.Errorf("%w: over 1000 bytes", ErrTooLarge)
	}
	return l.Channel.Send(f)
}

// brittle is a channel whose Recv can be made to fail.
type brittle struct {
	Channel
	failed chan error
}

func (b *brittle) fail(err error) {
	b.failed <- err
	b.Channel.Close()
}

func (b *brittle) Recv() (Frame, error) {
	f, err := b.Channel.Recv()
	select {
	case forced := <-b.failed:
		return Frame{}, forced
	default:
		return f, err
	}
}

func drain(ch Channel) {
	for {
		if _, err := ch.Recv(); err != nil {
			return
		}
	}
}
