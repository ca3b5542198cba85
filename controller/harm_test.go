package controller

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// TestBadHandlersHarmTheirOwnCommandOnly: one panics, one answers with 100 MiB,
// one hangs and cares for no cancellation. On the same channel everything else
// goes on, health checks too.
func TestBadHandlersHarmTheirOwnCommandOnly(t *testing.T) {
	for name, dial := range map[string]func(*node) func(*exchange.ConnectorOptions){
		"websocket": func(n *node) func(*exchange.ConnectorOptions) { return n.serveWeb(websocket.DialOptions{}) },
		"legacy": func(n *node) func(*exchange.ConnectorOptions) {
			return n.serveWeb(websocket.DialOptions{Protocol: websocket.Legacy})
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := run(t, func(o *Options) { o.HealthInterval, o.HealthTimeout = 32*time.Millisecond, patience })
			release := make(chan struct{})
			p := n.join("t", "", func(o *exchange.ConnectorOptions) {
				dial(n)(o)
				o.Channel.Handlers.Handle("HUGE", func(context.Context, *exchange.Request) (any, error) {
					return strings.Repeat("x", 100<<20), nil
				})
				o.Channel.Handlers.Handle("STUCK", func(context.Context, *exchange.Request) (any, error) {
					<-release
					return nil, nil
				})
			})
			channel := n.Target("t")[0].ID
			var wg sync.WaitGroup
			for range 4 { // callers who are not to notice anything
				wg.Go(func() {
					for range 50 {
						n.echo("t", Choice{})
					}
				})
			}
			for typ, want := range map[string]string{"PANIC": "panicked", "HUGE": "refused"} {
				reply, err := n.Send(t.Context(), "t", command(t, typ, nil), Choice{})
				if err != nil || reply.Status != exchange.Failed || !strings.Contains(reply.ErrorDetails, want) {
					t.Errorf("%s: %.200v, %v", typ, reply, err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if _, err := n.Send(ctx, "t", command(t, "STUCK", nil), Choice{}); !errors.Is(err, exchange.ErrTimeout) {
				t.Errorf("STUCK: %v", err)
			}
			cancel()
			wg.Wait()
			n.echo("t", Choice{})
			if now := n.Target("t"); len(now) != 1 || now[0].ID != channel || n.told(ChannelClosed) != 0 || n.told(ChannelUnhealthy) != 0 {
				t.Errorf("the channel has changed: %+v", now)
			}
			close(release)
			p.stop()
		})
	}
}
