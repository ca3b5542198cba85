package ccp_test

import (
	"context"
	"fmt"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
)

// A peer asks, a component answers; here both ends are in one process.
func ExampleClient() {
	var component exchange.Mux
	component.Handle(ccp.TypeHealthCheck, ccp.Handle(func(context.Context, ccp.Empty) (ccp.Health, error) {
		return ccp.Health{Healthy: true, Detail: "12 ticks so far"}, nil
	}))

	here, there := exchange.Pipe()
	peer := exchange.NewEndpoint(here, exchange.Options{})
	answering := exchange.NewEndpoint(there, exchange.Options{Handlers: &component})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = peer.Run(ctx) }()
	go func() { _ = answering.Run(ctx) }()

	health, err := ccp.NewClient(peer).HealthCheck(ctx)
	fmt.Println(health.Healthy, health.Detail, err)

	cancel()
	<-peer.Done()
	<-answering.Done()
	// Output: true 12 ticks so far <nil>
}

func ExampleAddress() {
	a := ccp.Address{Application: "orders", Version: "1.0", Instance: "ticker#2"}
	fmt.Println(a)
	// Output: orders__1_0__ticker#2
}
