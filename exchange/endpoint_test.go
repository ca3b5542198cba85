package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
		if len(events) != 1 || !strings.Contains(events[0].Detail, "secret inside") || !strings.Contains(events[0].Detail, "fixture_test.go") {
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
