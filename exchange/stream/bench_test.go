package stream

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream/internal/exchangepb"
)

// echoServer answers each frame of a bare stream with itself: the floor.
type echoServer struct {
	exchangepb.UnimplementedExchangeServer
}

func (echoServer) Channel(s exchangepb.Exchange_ChannelServer) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return nil
		}
		if err := s.Send(m); err != nil {
			return err
		}
	}
}

// bareStream opens a stream to an echoServer.
func bareStream(b *testing.B) exchangepb.Exchange_ChannelClient {
	b.Helper()
	path := filepath.Join(b.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	exchangepb.RegisterExchangeServer(server, echoServer{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	b.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})
	s, err := exchangepb.NewExchangeClient(dial(b, path)).Channel(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkStreamRoundTrip measures a call over a unix socket, and beside it,
// turn by turn, the bare gRPC stream with the same payload. It reports the ratio.
func BenchmarkStreamRoundTrip(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			client, _ := twoEnds(b)
			cmd := command(b, "ECHO", string(make([]byte, size/6))) // each NUL takes six bytes of JSON
			floor := bareStream(b)
			frame := toProto(exchange.Frame{Command: &cmd})
			ctx := context.Background()
			var bare time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				start := time.Now()
				if err := floor.Send(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := floor.Recv(); err != nil {
					b.Fatal(err)
				}
				bare += time.Since(start)
				b.StartTimer()
				cmd.ID = ""
				if _, err := client.Call(ctx, cmd); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "floor-ns/op")
			b.ReportMetric(float64(b.Elapsed())/float64(bare), "ratio")
		})
	}
}

// BenchmarkStreamPipelined measures calls of many goroutines at once.
func BenchmarkStreamPipelined(b *testing.B) {
	client, _ := twoEnds(b)
	cmd := command(b, "ECHO", "x")
	cmd.ID = ""
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.Call(context.Background(), cmd); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
