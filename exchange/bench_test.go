package exchange

import (
	"context"
	"testing"
)

// BenchmarkPipeRoundTrip measures a call and its reply in one process.
func BenchmarkPipeRoundTrip(b *testing.B) {
	caller, stop := benchPair(b)
	defer stop()
	cmd := command(b, "ECHO", "x")
	b.ReportAllocs()
	for b.Loop() {
		cmd.ID = ""
		if _, err := caller.Call(context.Background(), cmd); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPipeParallel measures calls of many goroutines at once.
func BenchmarkPipeParallel(b *testing.B) {
	caller, stop := benchPair(b)
	defer stop()
	cmd := command(b, "ECHO", "x")
	cmd.ID = ""
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := caller.Call(context.Background(), cmd); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkPipeFloor is the bare pipe, without endpoints.
func BenchmarkPipeFloor(b *testing.B) {
	x, y := Pipe()
	go func() {
		for {
			f, err := y.Recv()
			if err != nil || y.Send(f) != nil {
				return
			}
		}
	}()
	defer x.Close()
	for b.Loop() {
		if err := x.Send(Frame{}); err != nil {
			b.Fatal(err)
		}
		if _, err := x.Recv(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchPair(b *testing.B) (caller *Endpoint, stop func()) {
	x, y := Pipe()
	caller = NewEndpoint(x, Options{})
	callee := NewEndpoint(y, Options{Handlers: testMux()})
	go caller.Run(context.Background())
	go callee.Run(context.Background())
	return caller, func() {
		caller.Close()
		<-caller.Done()
		<-callee.Done()
	}
}
