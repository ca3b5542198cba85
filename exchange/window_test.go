package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

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
