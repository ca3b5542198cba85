package controller

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

func TestUpgradesThatAreRefused(t *testing.T) {
	n := run(t, func(o *Options) {
		o.Authenticate = func(r *http.Request) (Identity, error) {
			switch r.Header.Get("X-Token") {
			case "good":
				return Identity{Name: "good"}, nil
			case "broken":
				return Identity{}, errors.New("no answer from the directory")
			}
			return Identity{}, websocket.ErrUnauthorized
		}
	})
	status := func(h http.Handler, path, token string) int {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("X-Token", token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/exchange/controller", "bad", http.StatusUnauthorized},
		{"/exchange/controller", "broken", http.StatusInternalServerError},
		{"/elsewhere", "good", http.StatusNotFound},
	} {
		if got := status(n.Handler(), c.path, c.token); got != c.want {
			t.Errorf("%s with token %s: %d, want %d", c.path, c.token, got, c.want)
		}
	}
	if n.told(ConnectorRefused) != 2 {
		t.Errorf("%d refusals were told of", n.told(ConnectorRefused))
	}
	fresh, err := New(Options{Engine: cluster.NewMemory().Engine("one")})
	if err != nil {
		t.Fatal(err)
	}
	if got := status(fresh.Handler(), "/exchange/controller", ""); got != http.StatusGone {
		t.Errorf("before Run: %d", got)
	}
	n.stop()
	if got := status(n.Handler(), "/exchange/controller", "good"); got != http.StatusGone {
		t.Errorf("after Run: %d", got)
	}
}

func TestAccess(t *testing.T) {
	n := run(t, func(o *Options) {
		o.Access = Access{{Names: []string{"peer-*"}, Targets: []string{"billing"}, Commands: []string{"REPORT"}}}
		o.Handlers = func(Channel) *exchange.Mux {
			m := &exchange.Mux{}
			for _, typ := range []string{"REPORT", "DELETE"} {
				m.Handle(typ, func(context.Context, *exchange.Request) (any, error) { return typ, nil })
			}
			m.Know("LATER")
			return m
		}
	})
	as := func(name string) func(*exchange.ConnectorOptions) {
		return func(o *exchange.ConnectorOptions) {
			o.Dial = func(context.Context, string) (exchange.Channel, error) { return n.Embedded(Identity{Name: name}) }
		}
	}
	for _, c := range []struct{ name, target string }{{"stranger", "billing"}, {"peer-1", "orders"}, {"", "billing"}} {
		p := n.dial(c.target, c.name, as(c.name))
		n.until("refused", func() bool { return n.told(ConnectorRefused) > 0 })
		p.stop()
		if p.connected() || n.told(ChannelOpened) > 0 {
			t.Errorf("%+v got in", c)
		}
	}
	p := n.join("billing", "peer-1", as("peer-1"))
	if reply, err := p.Call(t.Context(), command(t, "REPORT", nil)); err != nil || reply.Err() != nil {
		t.Errorf("an allowed command: %+v, %v", reply, err)
	}
	if reply, err := p.Call(t.Context(), command(t, "DELETE", nil)); err != nil || reply.Err() == nil || n.told(CommandRefused) != 1 {
		t.Errorf("a command that is not allowed: %+v, %v", reply, err)
	}
}
