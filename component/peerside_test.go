package component_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/internal/testhost"
)

// peerSide is the least a peer does: it acknowledges states and gives a
// configuration.
type peerSide struct {
	*ccp.Client
	endpoint *exchange.Endpoint
	conn     *handshake.Conn
	done     chan error

	mu     sync.Mutex // guards all below
	states []string
	errors []string
	news   chan struct{}
}

func newPeerSide(tb testing.TB, conn *handshake.Conn, cfg ccp.Configuration) *peerSide {
	tb.Helper()
	p := &peerSide{conn: conn, done: make(chan error, 1), news: make(chan struct{}, 64)}
	var mux exchange.Mux
	mux.HandleOrdered(ccp.TypeStatus, ccp.Handle(p.status))
	mux.Handle(ccp.TypeDataRequest, ccp.HandleData(func(ctx context.Context, r ccp.DataRequest) (ccp.Data, error) {
		return ccp.Collect(ctx, time.Now(), r, map[ccp.Identifier]ccp.Source{
			ccp.ComponentConfiguration: func(context.Context, ccp.DataRequest) (any, error) { return cfg, nil },
		}), nil
	}))
	p.endpoint = exchange.NewEndpoint(conn, exchange.Options{Handlers: &mux})
	p.Client = ccp.NewClient(p.endpoint)
	go func() { p.done <- p.endpoint.Run(context.Background()) }()
	tb.Cleanup(p.hangUp)
	return p
}

func (p *peerSide) hangUp() {
	_ = p.endpoint.Close()
	<-p.endpoint.Done()
	_ = p.conn.Close()
	_ = p.conn.Wait()
}

func (p *peerSide) status(_ context.Context, e ccp.StatusEvent) (ccp.Empty, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.StatusType == ccp.Error {
		p.errors = append(p.errors, e.State+": "+e.ErrorMessage)
	} else {
		p.states = append(p.states, e.State)
	}
	p.news <- struct{}{}
	return ccp.Empty{}, nil
}

func (p *peerSide) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.states, " ")
}

func (p *peerSide) waitState(tb testing.TB, state string) {
	tb.Helper()
	limit := time.After(10 * time.Second)
	for !strings.Contains(p.seen(), state) {
		select {
		case <-p.news:
		case <-limit:
			tb.Fatalf("no %s; seen: %s", state, p.seen())
		}
	}
}

var hello = ccp.Handshake{MinVersionSupported: "1.0", MaxVersionSupported: "1.0"}

func launch(t *testing.T, bin string, values map[string]any, args ...string) (*testhost.Child, *handshake.Host, *peerSide) {
	t.Helper()
	host := &handshake.Host{Dir: testhost.Dir(t)}
	child := testhost.Start(t, host.Env(), bin, args...)
	conn, err := host.Connect(t.Context(), child)
	if err != nil {
		t.Fatal(err)
	}
	peer := newPeerSide(t, conn, ccp.Configuration{Address: "orders__1_0__ticker", Values: values})
	ack, err := peer.Handshake(t.Context(), hello)
	if err != nil || !ack.CCPSupported {
		t.Fatalf("HANDSHAKE: %+v, %v", ack, err)
	}
	return child, host, peer
}
