package controller

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	ws "github.com/coder/websocket"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// bench runs a controller, on embedded NATS if durable.
func bench(b *testing.B, durable bool) (*Controller, *cluster.NATS) {
	b.Helper()
	o := Options{Engine: cluster.NewMemory().Engine("one")}
	var nats *cluster.NATS
	if durable {
		var err error
		if nats, err = cluster.OpenNATS(cluster.NATSOptions{Node: "one", Dir: b.TempDir()}); err != nil {
			b.Fatal(err)
		}
		o.Engine = nats
	}
	c, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(func() {
		cancel()
		wg.Wait()
		if nats != nil {
			nats.Close()
		}
	})
	<-c.Running()
	return c, nats
}

// attach joins a connector that echoes, and waits until commands reach it.
func attach(b *testing.B, c *Controller, target string, change func(*exchange.ConnectorOptions)) {
	b.Helper()
	m := &exchange.Mux{}
	m.Handle("ECHO", func(_ context.Context, req *exchange.Request) (any, error) { return req.Payload, nil })
	o := exchange.ConnectorOptions{
		Endpoints: []string{"embedded"},
		Dial:      func(context.Context, string) (exchange.Channel, error) { return c.Embedded(Identity{}) },
		Hello:     exchange.Hello{TargetID: target}, Channel: exchange.Options{Handlers: m},
	}
	if change != nil {
		change(&o)
	}
	connector := exchange.NewConnector(o)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = connector.Run(ctx) })
	b.Cleanup(func() { cancel(); wg.Wait() })
	for len(c.Target(target)) == 0 {
		runtime.Gosched()
	}
}

const payload = `"0123456789012345678901234567890123456789"`

func roundTrips(b *testing.B, c *Controller) {
	b.Helper()
	cmd := exchange.Command{Type: "ECHO", Payload: []byte(payload)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Send(b.Context(), "t", cmd, Choice{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEmbedded measures a command to a connector in this process; its
// floor, an endpoint without a controller, is floor-ns/op.
func BenchmarkEmbedded(b *testing.B) {
	m := &exchange.Mux{}
	m.Handle("ECHO", func(_ context.Context, req *exchange.Request) (any, error) { return req.Payload, nil })
	x, y := exchange.Pipe()
	near, far := exchange.NewEndpoint(x, exchange.Options{}), exchange.NewEndpoint(y, exchange.Options{Handlers: m})
	var wg sync.WaitGroup
	wg.Go(func() { _ = near.Run(context.Background()) })
	wg.Go(func() { _ = far.Run(context.Background()) })
	const floor = 20_000
	begun := time.Now()
	for range floor {
		if _, err := near.Call(b.Context(), exchange.Command{Type: "ECHO", Payload: []byte(payload)}); err != nil {
			b.Fatal(err)
		}
	}
	bare := float64(time.Since(begun).Nanoseconds()) / floor
	near.Close()
	wg.Wait()

	c, _ := bench(b, false)
	attach(b, c, "t", nil)
	roundTrips(b, c)
	b.ReportMetric(bare, "floor-ns/op")
}

// BenchmarkWebSocket measures a command over a WebSocket; its floor, an echo of
// the same bytes on a bare WebSocket, is floor-ns/op.
func BenchmarkWebSocket(b *testing.B) {
	c, _ := bench(b, false)
	web := httptest.NewServer(c.Handler())
	defer web.Close()
	attach(b, c, "t", overWeb(web.URL, websocket.DialOptions{}))
	roundTrips(b, c)
	b.StopTimer()
	b.ReportMetric(bareEcho(b), "floor-ns/op")
}

// BenchmarkWebSocketParallel is BenchmarkWebSocket with commands side by side.
func BenchmarkWebSocketParallel(b *testing.B) {
	c, _ := bench(b, false)
	web := httptest.NewServer(c.Handler())
	defer web.Close()
	attach(b, c, "t", overWeb(web.URL, websocket.DialOptions{}))
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Send(b.Context(), "t", exchange.Command{Type: "ECHO", Payload: []byte(payload)}, Choice{}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

// BenchmarkBatch measures the commands of a batch on a durable engine; its
// floor, one durable write each and nothing else, is floor-ns/op.
func BenchmarkBatch(b *testing.B) {
	c, nats := bench(b, true)
	attach(b, c, "t", nil)
	const size = 500
	bucket, err := nats.Bucket(b.Context(), "floor", cluster.BucketOptions{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	value := []byte(`{"commandId":"01234567890123456789012345","type":"ECHO","commandStatus":"SUCCEEDED","payload":` + payload + `}`)
	var bare, ours time.Duration
	rounds := 0
	for b.Loop() {
		batch := Batch{Target: "t"}
		for range size {
			batch.Commands = append(batch.Commands, BatchCommand{Command: exchange.Command{Type: "ECHO", Payload: []byte(payload)}})
		}
		begun := time.Now()
		taken, err := c.Batches().Execute(b.Context(), batch)
		if err != nil {
			b.Fatal(err)
		}
		if done, err := c.Batches().Wait(b.Context(), taken.ID); err != nil || done.Status != BatchSucceeded {
			b.Fatal(done, err)
		}
		ours += time.Since(begun)
		begun = time.Now()
		for i := range size {
			if _, err := bucket.Put(b.Context(), fmt.Sprint(rounds, "/", i), value, 0); err != nil {
				b.Fatal(err)
			}
		}
		bare += time.Since(begun)
		rounds++
	}
	b.ReportMetric(float64(rounds*size)/ours.Seconds(), "commands/s")
	b.ReportMetric(float64(rounds*size)/bare.Seconds(), "floor-writes/s")
}

// bareEcho returns the nanoseconds of one round trip on a bare WebSocket.
func bareEcho(b *testing.B) float64 {
	b.Helper()
	web := httptest.NewServer(httpEcho)
	defer web.Close()
	conn, _, err := ws.Dial(b.Context(), web.URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.CloseNow()
	frame := []byte(`t:COMMAND;;et:ECHO;;e:{"id":"01234567890123456789012345","type":"ECHO","payload":` + payload + `}`)
	const count = 5000
	begun := time.Now()
	for range count {
		if err := conn.Write(b.Context(), ws.MessageBinary, frame); err != nil {
			b.Fatal(err)
		}
		if _, _, err := conn.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(begun).Nanoseconds()) / count
}

// httpEcho sends back what it gets.
var httpEcho = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	conn, err := ws.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	for {
		kind, data, err := conn.Read(r.Context())
		if err != nil || conn.Write(r.Context(), kind, data) != nil {
			return
		}
	}
})
