package controller

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// transports are the ways in which a connector may come.
var transports = map[string]func(n *node) func(*exchange.ConnectorOptions){
	"embedded": func(*node) func(*exchange.ConnectorOptions) { return nil },
	"v1":       func(n *node) func(*exchange.ConnectorOptions) { return n.serveWeb(websocket.DialOptions{}) },
	"legacy": func(n *node) func(*exchange.ConnectorOptions) {
		return n.serveWeb(websocket.DialOptions{Protocol: websocket.Legacy})
	},
}

func TestCommandsBothWays(t *testing.T) {
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			n := run(t, func(o *Options) {
				o.Hello = func(_ context.Context, p Proposal) (string, error) { return p.Hello.TargetID + "-1", nil }
				o.Handlers = func(ch Channel) *exchange.Mux {
					m := &exchange.Mux{}
					m.Handle("WHOAMI", func(context.Context, *exchange.Request) (any, error) { return ch.Target, nil })
					return m
				}
			})
			p := n.dial("billing", "peer", transport(n))
			n.until("connected", p.connected)
			if target, _ := p.Target(); target != "billing-1" {
				t.Errorf("the connector's target is %q: the controller has the last word", target)
			}
			n.until("the peer is primary", p.isPrimary)
			n.echo("billing-1", Choice{})
			n.echo("billing-1", Choice{Primary: true})
			reply, err := p.Call(t.Context(), command(t, "WHOAMI", nil))
			if err != nil || string(reply.Payload) != `"billing-1"` {
				t.Errorf("upward: %+v, %v", reply, err)
			}
			if reply, err := n.Send(t.Context(), "billing-1", command(t, "PANIC", nil), Choice{}); err != nil || reply.Status != exchange.Failed {
				t.Errorf("a handler that panics: %+v, %v", reply, err)
			}
			n.echo("billing-1", Choice{})
			p.stop()
			n.waitFor(PrimaryVacated, 1)
			if _, err := n.Send(t.Context(), "billing-1", command(t, "ECHO", nil), Choice{}); !errors.Is(err, ErrNoChannel) {
				t.Errorf("a command to a target that has gone: %v", err)
			}
		})
	}
}

func TestElection(t *testing.T) {
	n := run(t, nil)
	first := n.join("t", "first", nil)
	n.until("the first is primary", first.isPrimary)
	late := n.join("t", "late", nil)
	n.until("the late joiner is told", func() bool { return late.term() != 0 })
	if late.isPrimary() || !first.isPrimary() {
		t.Error("a living primary was displaced")
	}
	before, peers := first.term(), []*peer{first, late}
	for range 10 {
		peers[0].stop()
		peers = append(peers[1:], n.dial("t", "another", nil))
		n.until("another primary", func() bool { return peers[0].isPrimary() || peers[1].isPrimary() })
		if !peers[0].isPrimary() {
			peers[0], peers[1] = peers[1], peers[0]
		}
		if peers[0].term() <= before {
			t.Errorf("term %d after %d", peers[0].term(), before)
		}
		before = peers[0].term()
		n.until("the next one has come", peers[1].connected)
	}
	primaries := 0
	for _, ch := range n.Target("t") {
		if ch.Primary {
			primaries++
		}
	}
	if primaries != 1 {
		t.Errorf("%d primaries in view", primaries)
	}
}

func TestHungChannelDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		var mu sync.Mutex
		var checks []time.Duration
		begun := time.Now()
		n.join("t", "healthy", func(o *exchange.ConnectorOptions) {
			o.Health = func(context.Context) exchange.Health {
				mu.Lock()
				defer mu.Unlock()
				checks = append(checks, time.Since(begun))
				return exchange.Health{Healthy: true}
			}
		})
		hung := n.join("t", "hung", func(o *exchange.ConnectorOptions) {
			o.Health = func(ctx context.Context) exchange.Health { <-ctx.Done(); return exchange.Health{} }
		})
		time.Sleep(5*DefaultHealthInterval + DefaultHealthTimeout)
		mu.Lock()
		defer mu.Unlock()
		if len(checks) != 5 {
			t.Errorf("the healthy channel was checked at %v", checks)
		}
		if n.told(ChannelUnhealthy) < 4 || !hung.connected() {
			t.Errorf("the hung channel was ended %d times, and is back: %v", n.told(ChannelUnhealthy), hung.connected())
		}
		hung.stop()
		n.stop()
	})
}

func TestUnhealthyChannelIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		p := n.join("t", "ill", func(o *exchange.ConnectorOptions) {
			o.Health = func(context.Context) exchange.Health { return exchange.Health{Detail: "no disk"} }
			o.MinBackoff = time.Hour
		})
		n.join("t", "well", nil)
		time.Sleep(DefaultHealthInterval + time.Second)
		if p.connected() || n.told(ChannelUnhealthy) != 1 {
			t.Errorf("connected: %v, unhealthy: %d", p.connected(), n.told(ChannelUnhealthy))
		}
		n.echo("t", Choice{Primary: true})
		p.stop()
		n.stop()
	})
}

func TestSilentConnectorIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		ch, err := n.Embedded(Identity{})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := ch.Recv(); err == nil {
			t.Error("a frame came")
		}
		if waited := time.Since(begun); waited != DefaultHelloTimeout {
			t.Errorf("ended after %v", waited)
		}
		n.stop()
	})
}

// TestABusyChannelIsNotHung fills a channel's window with commands that do not
// end: its health is checked all the same.
func TestABusyChannelIsNotHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, func(o *Options) { o.Refuse = true; o.Window = 20 })
		n.join("t", "busy", nil)
		var wg sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		for range 20 - reserved {
			wg.Go(func() { _, _ = n.Send(ctx, "t", command(t, "HANG", nil), Choice{}) })
		}
		synctest.Wait()
		if _, err := n.Send(ctx, "t", command(t, "ECHO", nil), Choice{}); !errors.Is(err, exchange.ErrBusy) {
			t.Errorf("over the window: %v", err)
		}
		time.Sleep(3 * DefaultHealthInterval)
		if n.told(ChannelUnhealthy) != 0 {
			t.Error("a busy channel was taken for a hung one")
		}
		cancel()
		wg.Wait()
		n.echo("t", Choice{})
		n.stop()
	})
}

func TestDrainLetsCommandsEnd(t *testing.T) {
	n := run(t, nil)
	release, begun := make(chan struct{}), make(chan struct{})
	p := n.join("t", "p", func(o *exchange.ConnectorOptions) {
		o.Channel.Handlers.Handle("SLOW", func(ctx context.Context, _ *exchange.Request) (any, error) {
			close(begun)
			select {
			case <-release:
				return "done", nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		reply, err := n.Send(t.Context(), "t", command(t, "SLOW", nil), Choice{})
		if err != nil || string(reply.Payload) != `"done"` {
			t.Errorf("the command that was running: %+v, %v", reply, err)
		}
	})
	<-begun
	wg.Go(n.stop)
	n.until("the channel is out of use", func() bool {
		_, err := n.Send(t.Context(), "t", command(t, "ECHO", nil), Choice{})
		return errors.Is(err, ErrNoChannel)
	})
	close(release)
	wg.Wait()
	n.until("disconnected", func() bool { return !p.connected() })
}

func TestKick(t *testing.T) {
	n := run(t, nil)
	p := n.join("t", "p", nil)
	first := n.Target("t")[0].ID
	if err := n.Kick(first, true); err != nil {
		t.Fatal(err)
	}
	n.until("it is back on another channel", func() bool {
		all := n.Target("t")
		return len(all) == 1 && all[0].ID != first
	})
	if err := n.Kick(n.Target("t")[0].ID, false); err != nil {
		t.Fatal(err)
	}
	n.until("it has gone", func() bool { return !p.connected() && len(n.Target("t")) == 0 })
	p.stop()
	if p.err != nil {
		t.Errorf("after a goodbye for good: %v", p.err)
	}
	if err := n.Kick(first, true); !errors.Is(err, ErrNoChannel) {
		t.Errorf("Kick of a channel that has gone: %v", err)
	}
}

// TestSeveralControllers runs two nodes of one fleet.
func TestSeveralControllers(t *testing.T) {
	fleet := cluster.NewMemory()
	on := func(name string) *node {
		return run(t, func(o *Options) { o.Engine = fleet.Engine(name); o.Lease = time.Second })
	}
	a, b := on("a"), on("b")
	p := a.join("t", "p", nil)
	q := b.join("t", "q", nil)
	for _, n := range []*node{a, b} {
		n.until("both channels and one primary in view", func() bool {
			all := n.Target("t")
			return len(all) == 2 && all[0].Primary != all[1].Primary
		})
		n.echo("t", Choice{Primary: true})
		answers, err := n.Broadcast(t.Context(), "t", command(t, "ECHO", 1))
		if err != nil || len(answers) != 2 || answers[0].Err != nil || answers[1].Err != nil {
			t.Errorf("Broadcast = %+v, %v", answers, err)
		}
	}
	release := make(chan struct{})
	n := b.join("other", "only on b", func(o *exchange.ConnectorOptions) {
		o.Channel.Handlers.Handle("STUCK", func(context.Context, *exchange.Request) (any, error) {
			<-release
			return nil, nil
		})
	})
	a.until("a knows b's target", func() bool { return len(a.Target("other")) == 1 })
	a.echo("other", Choice{})
	for typ, want := range map[string]error{"NOBODY-KNOWS": exchange.ErrUnknown, "STUCK": exchange.ErrTimeout} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := a.Send(ctx, "other", command(t, typ, nil), Choice{}); !errors.Is(err, want) {
			t.Errorf("%s by way of b: %v, want %v", typ, err, want)
		}
		cancel()
	}
	close(release)
	n.stop()
	if !p.isPrimary() {
		a, b, p, q = b, a, q, p
	}
	term := p.term()
	a.stop() // its peers are told to come back, and find nobody
	b.until("the primary moves", q.isPrimary)
	if q.term() <= term {
		t.Errorf("term %d after %d", q.term(), term)
	}
	b.until("the other node's channels are out of view", func() bool { return len(b.Channels()) == 1 })
}

func TestOneControllerIsRunOnce(t *testing.T) {
	n := run(t, nil)
	if err := n.Run(t.Context()); err == nil {
		t.Error("it ran twice")
	}
	for _, o := range []Options{{}, {Engine: n.o.Engine, Identifier: "a b"}, {Engine: n.o.Engine, Window: 1}} {
		if _, err := New(o); err == nil {
			t.Errorf("New(%+v) succeeded", o)
		}
	}
}

func TestEventsAreJSON(t *testing.T) {
	data, err := json.Marshal(Event{Kind: ChannelOpened, Target: "t", Channel: "c"})
	want := `{"time":"0001-01-01T00:00:00Z","kind":"channel.opened","targetId":"t","channelId":"c"}`
	if err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
}
