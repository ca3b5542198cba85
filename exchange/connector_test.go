package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stubController answers dials by the pipe, with what the test wants.
type stubController struct {
	hello func(context.Context, *Request) (any, error)
	after func(e *Endpoint) // runs once a connector is welcome

	mu    sync.Mutex
	dials []string // endpoints
	times []time.Time
	fail  map[string]error // by endpoint
	wg    sync.WaitGroup
}

func (s *stubController) dial(_ context.Context, endpoint string) (Channel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, endpoint)
	s.times = append(s.times, time.Now())
	if err := s.fail[endpoint]; err != nil {
		return nil, err
	}
	a, b := Pipe()
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := Welcome(ctx, coded{b}, s.hello); err != nil {
			return
		}
		e := NewEndpoint(b, Options{})
		s.wg.Go(func() { _ = e.Run(context.Background()) })
		if s.after != nil {
			s.after(e)
		}
		<-e.Done()
	})
	return a, nil
}

func (s *stubController) setFail(endpoint string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[endpoint] = err
}

// coded is a channel that takes close codes.
type coded struct{ Channel }

func (c coded) CloseWith(int, string) error { return c.Close() }

func accept(_ context.Context, req *Request) (any, error) { return Hello{TargetID: "chosen"}, nil }

// recorder keeps connector events.
type recorder struct {
	mu     sync.Mutex
	events []ConnectorEvent
}

func (r *recorder) observe(ev ConnectorEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
}

func (r *recorder) kinds() []ConnectorEventKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []ConnectorEventKind
	for _, ev := range r.events {
		kinds = append(kinds, ev.Kind)
	}
	return kinds
}

func TestConnectorConnectsAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var health Reply
		s := &stubController{hello: func(_ context.Context, req *Request) (any, error) {
			if string(req.Payload) != `{"targetId":"proposed","id":"me"}` {
				t.Errorf("HELLO %s", req.Payload)
			}
			return Hello{TargetID: "chosen"}, nil
		}, after: func(e *Endpoint) {
			health, _ = e.Call(context.Background(), command(t, TypeHealthCheck, nil))
		}}
		var r recorder
		c := NewConnector(ConnectorOptions{Endpoints: []string{"a"}, Dial: s.dial, Hello: Hello{TargetID: "proposed", ID: "me"}, Observe: r.observe})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		if _, err := c.Call(ctx, command(t, "X", nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("a call before Run: %v", err)
		}
		go func() { ended <- c.Run(ctx) }()
		synctest.Wait()
		if target, ok := c.Target(); target != "chosen" || !ok {
			t.Errorf("Target = %q, %v", target, ok)
		}
		if string(health.Payload) != `{"healthy":true}` {
			t.Errorf("health %+v", health)
		}
		if _, err := c.Call(ctx, command(t, "X", nil)); !errors.Is(err, ErrUnknown) {
			t.Errorf("a call to the controller: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if want := []ConnectorEventKind{Connected, Disconnected}; !slices.Equal(r.kinds(), want) {
			t.Errorf("events %v, want %v", r.kinds(), want)
		}
		s.wg.Wait()
	})
}

func TestConnectorRotatesAndBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("refused")
		s := &stubController{hello: accept, fail: map[string]error{"a": down, "b": down, "c": down}}
		var r recorder
		c := NewConnector(ConnectorOptions{Endpoints: []string{"a", "b", "c"}, Dial: s.dial, Observe: r.observe})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(20 * time.Minute)
		s.mu.Lock()
		for i, endpoint := range s.dials {
			if endpoint != []string{"a", "b", "c"}[i%3] {
				t.Errorf("attempt %d at %s", i, endpoint)
			}
		}
		for i := 1; i < len(s.times); i++ {
			span := time.Second
			for range i - 1 {
				span = min(span*3/2, DefaultMaxBackoff)
			}
			if pause := s.times[i].Sub(s.times[i-1]); pause < span/2-time.Millisecond || pause > span+time.Millisecond {
				t.Errorf("pause %d is %v, want within %v and %v", i, pause, span/2, span)
			}
		}
		s.mu.Unlock()
		s.setFail("b", nil)
		time.Sleep(5 * time.Minute)
		if _, ok := c.Target(); !ok {
			t.Error("not connected though one endpoint is up")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		s.wg.Wait()
	})
}

// TestConnectorReconnectRules: what brings a connector back, and how soon.
func TestConnectorReconnectRules(t *testing.T) {
	bye := func(reconnect bool) func(*testing.T, *Endpoint) {
		return func(t *testing.T, e *Endpoint) {
			r, err := e.Call(context.Background(), command(t, TypeGoodBye, GoodBye{TargetID: "chosen", Reconnect: reconnect}))
			if err != nil || string(r.Payload) != `{"targetId":"chosen"}` {
				t.Errorf("GOOD_BYE = %+v, %v", r, err)
			}
		}
	}
	tests := []struct {
		name string
		auto bool
		end  func(*testing.T, *Endpoint)
		want bool // it comes back
	}{
		{"goodbye, come back", false, bye(true), true},
		{"goodbye for good", false, bye(false), false},
		{"goodbye for good, but automatic", true, bye(false), true},
		{"closed for good", false, func(_ *testing.T, e *Endpoint) { e.Close() }, false},
		{"closed for good, but automatic", true, func(_ *testing.T, e *Endpoint) { e.Close() }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				s := &stubController{hello: accept, after: func(e *Endpoint) {
					if first {
						first = false
						tt.end(t, e)
					}
				}}
				c := NewConnector(ConnectorOptions{Endpoints: []string{"a", "b"}, Dial: s.dial, AutoReconnect: tt.auto})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- c.Run(ctx) }()
				time.Sleep(2 * DefaultMinBackoff)
				if _, ok := c.Target(); ok != tt.want {
					t.Errorf("connected again: %v, want %v", ok, tt.want)
				}
				if tt.want && !slices.Equal(s.dials, []string{"a", "a"}) {
					t.Errorf("dialled %v, want the first endpoint again", s.dials)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("Run = %v", err)
				}
				s.wg.Wait()
			})
		})
	}
}

func TestConnectorRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stubController{hello: func(context.Context, *Request) (any, error) { return nil, errors.New("target not allowed") }}
		c := NewConnector(ConnectorOptions{Endpoints: []string{"a"}, Dial: s.dial, AutoReconnect: true})
		err := c.Run(t.Context())
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Details != "target not allowed" || len(s.dials) != 1 {
			t.Errorf("Run = %v after %d attempts", err, len(s.dials))
		}
		s.wg.Wait()
	})
}

// TestConnectorHelloUnanswered: a controller that stays silent is tried again.
func TestConnectorHelloUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		dial := func(context.Context, string) (Channel, error) {
			dials++
			a, b := Pipe()
			go drain(b)
			return a, nil
		}
		c := NewConnector(ConnectorOptions{Endpoints: []string{"a"}, Dial: dial})
		ctx, cancel := context.WithTimeout(t.Context(), 3*DefaultHelloTimeout)
		defer cancel()
		if err := c.Run(ctx); err != nil || dials < 2 {
			t.Errorf("Run = %v after %d attempts", err, dials)
		}
	})
}

// TestConnectorSurvivesAHungHandler: the next connection does not wait for it.
func TestConnectorSurvivesAHungHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := &Mux{}
		m.Handle("STUCK", func(context.Context, *Request) (any, error) { <-release; return nil, nil })
		first := true
		s := &stubController{hello: accept, after: func(e *Endpoint) {
			if first {
				first = false
				go e.Call(context.Background(), command(t, "STUCK", nil))
				synctest.Wait()
				e.ch.Close()
			}
		}}
		c := NewConnector(ConnectorOptions{Endpoints: []string{"a"}, Dial: s.dial, Channel: Options{Handlers: m}, AutoReconnect: true})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(5 * time.Second)
		if _, ok := c.Target(); !ok || len(s.dials) != 2 {
			t.Errorf("connected: %v after %d attempts", ok, len(s.dials))
		}
		close(release)
		cancel()
		<-ended
		s.wg.Wait()
	})
}

func TestConnectorRefusesOldTerms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var replies []string
		s := &stubController{hello: accept, after: func(e *Endpoint) {
			for _, p := range []Primary{{true, 3}, {false, 2}, {false, 3}, {true, 0}, {true, 4}, {true, 3}} {
				r, err := e.Call(context.Background(), command(t, TypePrimary, p))
				if err != nil {
					t.Error(err)
				}
				replies = append(replies, string(r.Status)+r.ErrorDetails)
			}
		}}
		var told []string
		c := NewConnector(ConnectorOptions{Endpoints: []string{"a"}, Dial: s.dial, Primary: func(_ context.Context, p Primary) error {
			told = append(told, fmt.Sprint(p))
			return nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		s.wg.Wait()
		want := []string{"SUCCEEDED", "ERRORterm 2 is over: term 3 has begun", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "ERRORterm 3 is over: term 4 has begun"}
		if !slices.Equal(replies, want) {
			t.Errorf("replies %q", replies)
		}
		if want := []string{"{true 3}", "{false 3}", "{true 0}", "{true 4}"}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
	})
}

// TestWelcomeFailures: what is the controller's fault does not refuse a connector.
func TestWelcomeFailures(t *testing.T) {
	tests := []struct {
		name   string
		decide Handler
		code   int
		reply  bool
	}{
		{"refused", func(context.Context, *Request) (any, error) { return nil, errors.New("not you") }, CloseNormal, true},
		{"not now", func(context.Context, *Request) (any, error) { return nil, fmt.Errorf("no database: %w", ErrTryAgain) }, CloseTryAgain, false},
		{"panic", func(context.Context, *Request) (any, error) { panic("oops") }, CloseInternal, false},
		{"no JSON", func(context.Context, *Request) (any, error) { return make(chan int), nil }, CloseInternal, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := Pipe()
			ch := &codes{Channel: b}
			replied := make(chan bool)
			go func() {
				_ = a.Send(Frame{Command: &Command{ID: "1", Type: TypeHello}})
				_, err := a.Recv()
				replied <- err == nil
			}()
			if _, err := Welcome(t.Context(), ch, tt.decide); err == nil {
				t.Error("Welcome succeeded")
			}
			if got := <-replied; got != tt.reply || ch.code != tt.code {
				t.Errorf("reply %v and code %d, want %v and %d", got, ch.code, tt.reply, tt.code)
			}
		})
	}
}

// codes remembers the code it was closed with.
type codes struct {
	Channel
	code int
}

func (c *codes) CloseWith(code int, _ string) error {
	c.code = code
	return c.Close()
}

func TestWelcome(t *testing.T) {
	tests := []struct {
		name string
		send func(ch Channel)
		want string
	}{
		{"no hello", func(ch Channel) { _ = ch.Send(Frame{Command: &Command{ID: "1", Type: "ECHO"}}) }, ErrNoHello.Error()},
		{"a reply", func(ch Channel) { _ = ch.Send(Frame{Reply: &Reply{CommandID: "1", Type: TypeHello}}) }, ErrNoHello.Error()},
		{"silence", func(Channel) {}, "in time"},
		{"gone", func(ch Channel) { ch.Close() }, io.EOF.Error()},
		{"refused", func(ch Channel) {
			_ = ch.Send(Frame{Command: &Command{ID: "1", Type: TypeHello}})
			if f, err := ch.Recv(); err != nil || f.Reply.Status != Failed || f.Reply.ErrorDetails != "not you" {
				t.Errorf("reply %+v, %v", f.Reply, err)
			}
		}, "not you"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := Pipe()
				go tt.send(a)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := Welcome(ctx, b, func(context.Context, *Request) (any, error) { return nil, errors.New("not you") })
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Welcome = %v, want %q", err, tt.want)
				}
			})
		})
	}
}
