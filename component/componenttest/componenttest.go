// Package componenttest runs a component in the test's own process, with a
// peer that the test controls:
//
//	peer := componenttest.Start(t, info, newTicker(), componenttest.Options{Values: map[string]any{"interval": "1ms"}})
//	peer.WaitState("COMPONENT_EXECUTION")
//	report, err := peer.ReportState(t.Context())
//	if code := peer.Stop(); code != 0 { … }
//
// A [Peer] has every method of [ccp.Client]. Its methods are safe for
// concurrent use. It works inside a testing/synctest bubble.
package componenttest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/component"
	"github.com/seed-04209a44/peerd/exchange"
)

// waitLimit bounds WaitState.
const waitLimit = 10 * time.Second

// Options are what the peer says of the instance.
type Options struct {
	Values     map[string]any    // the profile's `config`
	Arguments  map[string]string // runtime arguments
	Secrets    map[string]string
	Loggers    map[string]string // levels to begin with
	Named      map[string]any    // NAMED_CONFIGURATION
	Properties []ccp.Property
	Ports      ccp.Ports
	// Handlers answers the component's own commands to its peer; nil: none.
	// STATUS and DATA_REQUEST are answered already.
	Handlers map[string]exchange.Handler
	// OnStatus judges each report; an error becomes its ERROR reply.
	OnStatus func(ccp.StatusEvent) error
}

// Peer is the peer of one component under test.
type Peer struct {
	*ccp.Client
	tb       testing.TB
	o        Options
	endpoint *exchange.Endpoint
	ended    chan struct{} // closed when the component's life is over
	code     int           // read after ended

	mu      sync.Mutex // guards all below
	reports []ccp.StatusEvent
	changed chan struct{} // closed at each report
}

// Start runs c and greets it. The test's end stops it if it still runs.
func Start(tb testing.TB, info component.Info, c component.Component, o Options) *Peer {
	tb.Helper()
	p := &Peer{tb: tb, o: o, ended: make(chan struct{}), changed: make(chan struct{})}
	mine, theirs := exchange.Pipe()
	p.endpoint = exchange.NewEndpoint(mine, exchange.Options{Handlers: p.handlers()})
	p.Client = ccp.NewClient(p.endpoint)
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.endpoint.Run(context.Background()) })
	wg.Go(func() {
		p.code = component.Run(context.Background(), info, c, theirs)
		close(p.ended)
	})
	tb.Cleanup(func() {
		p.Stop()
		_ = p.endpoint.Close()
		wg.Wait()
	})
	ack, err := p.Handshake(context.Background(), ccp.Handshake{MinVersionSupported: ccp.MinVersion, MaxVersionSupported: ccp.MaxVersion})
	if err != nil || !ack.CCPSupported {
		tb.Fatalf("HANDSHAKE: %+v, %v", ack, err)
	}
	return p
}

// Stop asks the component to stop, waits for its end, and returns the exit
// code its process would have had. When it has ended already that is all.
func (p *Peer) Stop() int {
	select {
	case <-p.ended:
		return p.code
	default:
	}
	// It may end by itself meanwhile; only the exit code counts.
	_ = p.InitiateShutdown(context.Background(), ccp.Shutdown{StopWaitTimeMs: waitLimit.Milliseconds(), Reason: "the test stops it"})
	return p.Wait()
}

// Wait blocks until the component has ended by itself and returns its exit code.
func (p *Peer) Wait() int {
	<-p.ended
	return p.code
}

// Reports returns every STATUS so far, in order.
func (p *Peer) Reports() []ccp.StatusEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reports)
}

// States returns the states reported so far, in order, each once.
func (p *Peer) States() []string {
	var states []string
	for _, r := range p.Reports() {
		if len(states) == 0 || states[len(states)-1] != r.State {
			states = append(states, r.State)
		}
	}
	return states
}

// WaitState blocks until the component has reported state; after 10 seconds
// the test fails.
func (p *Peer) WaitState(state string) {
	p.tb.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if slices.Contains(p.States(), state) {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			p.tb.Fatalf("%s was not reported within %v; reported: %v", state, waitLimit, p.States())
		}
	}
}

func (p *Peer) handlers() *exchange.Mux {
	var m exchange.Mux
	m.HandleOrdered(ccp.TypeStatus, ccp.Handle(p.status))
	m.Handle(ccp.TypeDataRequest, ccp.HandleData(p.data))
	for typ, h := range p.o.Handlers {
		m.Handle(typ, h)
	}
	return &m
}

func (p *Peer) status(_ context.Context, e ccp.StatusEvent) (ccp.Empty, error) {
	if p.o.OnStatus != nil {
		if err := p.o.OnStatus(e); err != nil {
			return ccp.Empty{}, fmt.Errorf("refused: %w", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, e)
	close(p.changed)
	p.changed = make(chan struct{})
	return ccp.Empty{}, nil
}

// data answers what a component asks its peer for.
func (p *Peer) data(ctx context.Context, r ccp.DataRequest) (ccp.Data, error) {
	give := func(v any) ccp.Source { return func(context.Context, ccp.DataRequest) (any, error) { return v, nil } }
	return ccp.Collect(ctx, time.Now(), r, map[ccp.Identifier]ccp.Source{
		ccp.ComponentConfiguration: give(ccp.Configuration{
			Address: "test__1_0__component",
			Values:  p.o.Values, Arguments: p.o.Arguments, Secrets: p.o.Secrets, Loggers: p.o.Loggers,
		}),
		ccp.NamedConfiguration:   give(p.o.Named),
		ccp.PortConfiguration:    give(p.o.Ports),
		ccp.ManageableProperties: give(p.o.Properties),
	}), nil
}
