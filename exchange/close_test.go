package exchange

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

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

// A handler that fails as this side closes may have had its effect before: the
// caller is told nothing, which is what it can rely on.
func TestCloseHidesTheFailuresOfInterruptedHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		e := NewEndpoint(b, Options{Handlers: testMux()})
		go e.Run(t.Context())
		caller := NewEndpoint(a, Options{})
		go caller.Run(t.Context())
		called := make(chan error, 1)
		go func() {
			reply, err := caller.Call(t.Context(), command(t, "HANG", nil))
			if reply.Status != "" {
				t.Errorf("the caller has the reply %+v", reply)
			}
			called <- err
		}()
		synctest.Wait()
		start := time.Now()
		e.Close()
		if err := <-called; !errors.Is(err, ErrClosed) {
			t.Errorf("Call = %v, want ErrClosed", err)
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
