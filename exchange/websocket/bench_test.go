package websocket

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-04209a44/peerd/exchange"
)

// echo is a bare WebSocket that sends back what it gets: the floor.
func echo(b *testing.B) *websocket.Conn {
	b.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		for {
			kind, data, err := ws.Read(context.Background())
			if err != nil || ws.Write(context.Background(), kind, data) != nil {
				return
			}
		}
	}))
	b.Cleanup(web.Close)
	ws, _, err := websocket.Dial(b.Context(), web.URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ws.CloseNow() })
	return ws
}

// BenchmarkRoundTrip measures a command and its reply, and beside it, turn by
// turn, a bare WebSocket echo of the same frame. It reports the ratio and p99s.
func BenchmarkRoundTrip(b *testing.B) {
	connector, _ := ends(b, V1)
	floor := echo(b)
	cmd := command(b, "ECHO", "0123456789012345678901234567890123456789")
	frame, err := v1{}.encode(exchange.Frame{Command: &cmd})
	if err != nil {
		b.Fatal(err)
	}
	var bare, ours []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		start := time.Now()
		if err := floor.Write(b.Context(), websocket.MessageBinary, frame); err != nil {
			b.Fatal(err)
		}
		if _, _, err := floor.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(start))
		b.StartTimer()
		start = time.Now()
		cmd.ID = ""
		if _, err := connector.Call(context.Background(), cmd); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(start))
	}
	slices.Sort(bare)
	slices.Sort(ours)
	at := func(d []time.Duration, q float64) float64 { return float64(d[int(q*float64(len(d)-1))].Nanoseconds()) }
	b.ReportMetric(at(bare, 0.5), "floor-p50-ns")
	b.ReportMetric(at(bare, 0.99), "floor-p99-ns")
	b.ReportMetric(at(ours, 0.5), "p50-ns")
	b.ReportMetric(at(ours, 0.99), "p99-ns")
	b.ReportMetric(at(ours, 0.5)/at(bare, 0.5), "ratio-p50")
}

// pipelined is how many commands are in flight at one time.
const pipelined = 64

// BenchmarkPipelined measures commands of many callers on one connection; its
// floor, as many of the same frames on a bare WebSocket echo, is floor-frames/s.
func BenchmarkPipelined(b *testing.B) {
	connector, _ := ends(b, V1)
	cmd := command(b, "ECHO", "0123456789012345678901234567890123456789")
	frame, err := v1{}.encode(exchange.Frame{Command: &cmd})
	if err != nil {
		b.Fatal(err)
	}
	cmd.ID = ""
	b.ReportAllocs()
	b.SetParallelism(max(1, pipelined/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := connector.Call(context.Background(), cmd); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
	b.ReportMetric(echoes(b, frame), "floor-frames/s")
}

// echoes returns how many frames a second a bare WebSocket sends back.
func echoes(b *testing.B, frame []byte) float64 {
	b.Helper()
	const count = 50_000
	floor := echo(b)
	slots := make(chan struct{}, pipelined)
	begun := time.Now()
	go func() {
		for range count {
			slots <- struct{}{}
			if floor.Write(b.Context(), websocket.MessageBinary, frame) != nil {
				return // told by Read
			}
		}
	}()
	for range count {
		if _, _, err := floor.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
		<-slots
	}
	return count / time.Since(begun).Seconds()
}

// BenchmarkIdleConnection measures what an idle connection holds in memory,
// both of its sides together.
func BenchmarkIdleConnection(b *testing.B) {
	const connections = 500
	for b.Loop() {
		before := inUse()
		var open []*exchange.Endpoint
		var mu sync.Mutex
		url, server := serve(b, ServerOptions{Accept: func(ctx context.Context, ch *Conn) {
			e := exchange.NewEndpoint(ch, exchange.Options{})
			mu.Lock()
			open = append(open, e)
			mu.Unlock()
			_ = e.Run(ctx)
		}})
		for range connections {
			c, err := Dial(b.Context(), url, DialOptions{})
			if err != nil {
				b.Fatal(err)
			}
			e := exchange.NewEndpoint(c, exchange.Options{})
			go e.Run(context.Background())
			mu.Lock()
			open = append(open, e)
			mu.Unlock()
		}
		b.ReportMetric(float64(inUse()-before)/connections, "B/connection")
		server.Close()
		for _, e := range open {
			e.Close()
			<-e.Done()
		}
	}
}

// inUse is the memory of heap and stacks after a collection.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
