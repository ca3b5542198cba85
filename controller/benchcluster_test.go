package controller

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// benchFleet runs three controllers in a cluster.
func benchFleet(b *testing.B) (all []*Controller, engines []*cluster.NATS) {
	b.Helper()
	engines = fleetEngines(b, 3)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	b.Cleanup(func() { cancel(); wg.Wait() })
	for _, e := range engines {
		c, err := New(Options{Engine: e})
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			if err := c.Run(ctx); err != nil {
				b.Error(err)
			}
		})
		all = append(all, c)
	}
	for _, c := range all {
		<-c.Running()
		poll(func() bool { return len(c.registry.nodeNames()) == len(all) })
	}
	return all, engines
}

// poll waits for what is no event.
func poll(done func() bool) {
	for !done() {
		<-time.After(time.Millisecond)
	}
}

// echoOn answers requests on an engine with what was asked.
func echoOn(b *testing.B, e *cluster.NATS, from *cluster.NATS) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = e.Serve(ctx, "floor", func(_ context.Context, data []byte, _ func([]byte) error) ([]byte, error) { return data, nil })
	})
	b.Cleanup(func() { cancel(); wg.Wait() })
	poll(func() bool {
		_, err := from.Request(b.Context(), "floor", nil, nil)
		return err == nil
	})
}

// BenchmarkThroughTwoControllers measures a command to a connector of another
// controller; its floor, a request of the same bytes between clients of as many
// bare NATS servers, is floor-ns/op. engine-ns/op is one from engine to engine.
func BenchmarkThroughTwoControllers(b *testing.B) {
	bare := bareRequest(b, 3)
	all, engines := benchFleet(b)
	echoOn(b, engines[1], engines[0])
	const floor = 2_000
	begun := time.Now()
	for range floor {
		if _, err := engines[0].Request(b.Context(), "floor", []byte(payload), nil); err != nil {
			b.Fatal(err)
		}
	}
	engine := float64(time.Since(begun).Nanoseconds()) / floor
	attach(b, all[1], "t", nil)
	poll(func() bool { return len(all[0].Target("t")) == 1 })
	roundTrips(b, all[0])
	b.ReportMetric(bare, "floor-ns/op")
	b.ReportMetric(engine, "engine-ns/op")
}

// BenchmarkPrimaryMove measures from the end of a primary's connection until the
// other connector of the target, on another controller, is told that it is
// primary; its floor, one durable write, is floor-ns/op.
func BenchmarkPrimaryMove(b *testing.B) {
	all, engines := benchFleet(b)
	bucket, err := engines[0].Bucket(b.Context(), "floor", cluster.BucketOptions{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	const floor = 200
	begun := time.Now()
	for range floor {
		if _, err := bucket.Put(b.Context(), "k", nil, cluster.Any); err != nil {
			b.Fatal(err)
		}
	}
	bare := float64(time.Since(begun).Nanoseconds()) / floor

	type told struct{ who int }
	primaries := make(chan told, 100)
	join := func(who int) (leave func()) {
		c := all[who%2]
		o := exchange.ConnectorOptions{
			Endpoints: []string{"embedded"}, Hello: exchange.Hello{TargetID: "t", ID: fmt.Sprint(who)},
			Dial: func(context.Context, string) (exchange.Channel, error) { return c.Embedded(Identity{}) },
			Primary: func(_ context.Context, p exchange.Primary) error {
				if p.Primary {
					primaries <- told{who}
				}
				return nil
			},
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = exchange.NewConnector(o).Run(ctx) })
		return func() { cancel(); wg.Wait() }
	}
	leave := join(0)
	<-primaries
	for who := 1; b.Loop(); who++ {
		b.StopTimer()
		next := join(who)
		for _, c := range all[:2] {
			poll(func() bool { return len(c.Target("t")) == 2 })
		}
		b.StartTimer()
		leave()
		for (<-primaries).who != who {
		}
		leave = next
	}
	leave()
	b.ReportMetric(bare, "floor-ns/op")
}

// BenchmarkConnectorsOfAFleet measures what a connector costs three controllers,
// all in this process with it, once all of them know it: B/connector; and how
// long it takes until they do, for all of them: s/fleet. The floor is as many
// clients of as many bare NATS servers, each with a subject of its own.
func BenchmarkConnectorsOfAFleet(b *testing.B) {
	const count = 10_000
	for b.Loop() {
		b.StopTimer()
		bytes, seconds := bareClients(b, 3, count)
		b.ReportMetric(bytes, "floor-B/connector")
		b.ReportMetric(seconds, "floor-s/fleet")
		all, _ := benchFleet(b)
		before := memory()
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		b.StartTimer()
		begun := time.Now()
		for i := range count {
			c := all[i%len(all)]
			connector := exchange.NewConnector(exchange.ConnectorOptions{
				Endpoints: []string{"embedded"}, Hello: exchange.Hello{TargetID: fmt.Sprint("t", i), ID: "p"},
				Dial: func(context.Context, string) (exchange.Channel, error) { return c.Embedded(Identity{}) },
			})
			wg.Go(func() { _ = connector.Run(ctx) })
		}
		for _, c := range all {
			poll(func() bool { return len(c.Channels()) == count })
		}
		b.StopTimer()
		b.ReportMetric(time.Since(begun).Seconds(), "s/fleet")
		runtime.GC()
		b.ReportMetric((memory()-before)/count, "B/connector")
		cancel()
		wg.Wait()
		b.StartTimer()
	}
}
