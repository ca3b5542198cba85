package controller

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

func TestMain(m *testing.M) {
	if asChild() {
		return
	}
	goleak.VerifyTestMain(m,
		// The NATS server keeps one for all of a process's life.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.init.0.func1"))
}

// patience bounds every wait of a test that is not in a bubble.
const patience = 2 * time.Minute

// node is a running controller with what it told.
type node struct {
	*Controller
	t    *testing.T
	stop func() // ends it as its context's end does, and waits

	mu     sync.Mutex
	events []Event
	news   chan struct{}
}

// run starts a controller, on an engine of its own unless change sets one.
func run(t *testing.T, change func(*Options)) *node {
	t.Helper()
	n := &node{t: t, news: make(chan struct{})}
	o := Options{Observe: n.observe}
	if change != nil {
		change(&o)
	}
	if o.Engine == nil {
		o.Engine = cluster.NewMemory().Engine("one")
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	n.Controller = c
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	n.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(n.stop)
	<-c.Running()
	return n
}

func (n *node) observe(ev Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, ev)
	close(n.news)
	n.news = make(chan struct{})
}

// until waits until done holds; it is asked again after each event and, as not
// everything is one, every now and then.
func (n *node) until(what string, done func() bool) {
	n.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !done() {
		n.mu.Lock()
		news := n.news
		n.mu.Unlock()
		select {
		case <-news:
		case <-poll.C:
		case <-deadline.C:
			n.mu.Lock()
			defer n.mu.Unlock()
			n.t.Fatalf("not in time: %s; %d channels; the last events: %+v", what, n.count(), n.events[max(0, len(n.events)-20):])
		}
	}
}

// count is how many channels there are; a node to wait with has no controller.
func (n *node) count() int {
	if n.Controller == nil {
		return 0
	}
	return n.registry.count()
}

// told counts the events of a kind.
func (n *node) told(kind EventKind) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ev := range n.events {
		if ev.Kind == kind {
			count++
		}
	}
	return count
}

func (n *node) waitFor(kind EventKind, count int) {
	n.t.Helper()
	n.until(string(kind), func() bool { return n.told(kind) >= count })
}

// peer is a connector with what it was told.
type peer struct {
	*exchange.Connector
	stop func()
	err  error // of Run, after stop

	mu      sync.Mutex
	primary exchange.Primary
	log     []string // commands, in the order of their effects
	hanging int      // HANG commands under way
}

func (p *peer) isPrimary() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.primary.Primary
}

func (p *peer) term() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.primary.Term
}

func (p *peer) connected() bool {
	_, ok := p.Target()
	return ok
}

// effects returns the payloads of the EFFECT commands that were run.
func (p *peer) effects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.log...)
}

func (p *peer) hang(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hanging += n
}

func (p *peer) hung() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hanging
}

// mux answers what tests ask: ECHO, EFFECT, FAIL, HANG, NUMBERS, PANIC.
func (p *peer) mux() *exchange.Mux {
	m := &exchange.Mux{Replies: exchange.NewReplyCache(0, 0, true)}
	m.Handle("ECHO", func(_ context.Context, req *exchange.Request) (any, error) { return req.Payload, nil })
	m.Handle("EFFECT", func(_ context.Context, req *exchange.Request) (any, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.log = append(p.log, string(req.Payload))
		return req.Payload, nil
	})
	m.Handle("FAIL", func(context.Context, *exchange.Request) (any, error) { return nil, errors.New("it fails") })
	m.Handle("HANG", func(ctx context.Context, _ *exchange.Request) (any, error) {
		p.hang(1)
		defer p.hang(-1)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	m.Handle("NUMBERS", func(_ context.Context, req *exchange.Request) (any, error) {
		var to int
		if err := req.Decode(&to); err != nil {
			return nil, err
		}
		for i := range to {
			if err := req.Progress(i + 1); err != nil {
				return nil, err
			}
		}
		return to, nil
	})
	m.Handle("PANIC", func(context.Context, *exchange.Request) (any, error) { panic("it panics") })
	return m
}

// join connects a peer and waits until it is connected. dial is an embedded
// channel unless change sets another.
func (n *node) join(target, id string, change func(*exchange.ConnectorOptions)) *peer {
	n.t.Helper()
	p := n.dial(target, id, change)
	n.until(id+" is connected", p.connected)
	n.until(id+" is known", func() bool {
		for _, ch := range n.Target(target) {
			if ch.Connector == id {
				return true
			}
		}
		return false
	})
	return p
}

func (n *node) dial(target, id string, change func(*exchange.ConnectorOptions)) *peer {
	p := &peer{}
	o := exchange.ConnectorOptions{
		Endpoints:  []string{"embedded"},
		Dial:       func(context.Context, string) (exchange.Channel, error) { return n.Embedded(Identity{}) },
		Hello:      exchange.Hello{TargetID: target, ID: id},
		Channel:    exchange.Options{Handlers: p.mux()},
		MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		Primary: func(_ context.Context, told exchange.Primary) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.primary = told
			return nil
		},
	}
	if change != nil {
		change(&o)
	}
	p.Connector = exchange.NewConnector(o)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.err = p.Run(ctx) })
	p.stop = func() { cancel(); wg.Wait() }
	n.t.Cleanup(p.stop)
	return p
}

// serveWeb serves the controller and returns how a connector dials it.
func (n *node) serveWeb(o websocket.DialOptions) func(*exchange.ConnectorOptions) {
	web := httptest.NewServer(n.Handler())
	n.t.Cleanup(func() { n.stop(); web.Close() })
	return overWeb(web.URL, o)
}

func overWeb(url string, d websocket.DialOptions) func(*exchange.ConnectorOptions) {
	return func(o *exchange.ConnectorOptions) {
		o.Endpoints = []string{url}
		o.Dial = func(ctx context.Context, endpoint string) (exchange.Channel, error) {
			return websocket.Dial(ctx, endpoint, d)
		}
	}
}

func command(t testing.TB, typ string, payload any) exchange.Command {
	t.Helper()
	cmd, err := exchange.NewCommand(typ, payload)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// echo sends ECHO and checks the answer.
func (n *node) echo(target string, how Choice) {
	n.t.Helper()
	reply, err := n.Send(n.t.Context(), target, command(n.t, "ECHO", "hi"), how)
	if err != nil || string(reply.Payload) != `"hi"` {
		n.t.Errorf("ECHO to %s: %+v, %v", target, reply, err)
	}
}
