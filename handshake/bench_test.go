package handshake_test

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/internal/testhost"
)

// BenchmarkRoundTrip compares a command to a component, through everything
// there is (client, endpoint, channel, go-plugin's connection, another process,
// the SDK), with 64 bytes over a bare gRPC stream to another process. The two
// take turns, so that the ratio means something on a busy machine.
func BenchmarkRoundTrip(b *testing.B) {
	for _, c := range []struct {
		name    string
		callers int
	}{{"1", 1}, {"16", 16}} {
		b.Run("callers="+c.name, func(b *testing.B) {
			command, bare := commandTrip(b), bareTrips(b, c.callers)
			run := func(trip func(caller int)) float64 {
				start := b.Elapsed()
				var wg sync.WaitGroup
				for i := range c.callers {
					wg.Go(func() {
						for range 64 / c.callers {
							trip(i)
						}
					})
				}
				wg.Wait()
				return float64((b.Elapsed() - start).Nanoseconds()) / 64
			}
			var commands, bares float64
			n := 0.0
			for b.Loop() {
				commands += run(func(int) { command() })
				bares += run(bare)
				n++
			}
			b.ReportMetric(commands/n, "command-ns")
			b.ReportMetric(bares/n, "bare-ns")
			b.ReportMetric(commands/bares, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// commandTrip returns HEALTH_CHECK to a sample component.
func commandTrip(b *testing.B) func() {
	host := &handshake.Host{Dir: testhost.Dir(b)}
	child := testhost.Start(b, host.Env(), testhost.Build(b, "github.com/seed-04209a44/peerd/samples/CCPComponent"))
	conn, err := host.Connect(b.Context(), child)
	if err != nil {
		b.Fatal(err)
	}
	endpoint := exchange.NewEndpoint(conn, exchange.Options{})
	go func() { _ = endpoint.Run(context.Background()) }()
	b.Cleanup(func() {
		_ = endpoint.Close()
		<-endpoint.Done()
		_ = conn.Wait()
	})
	client := ccp.NewClient(endpoint)
	return func() {
		if _, err := client.HealthCheck(context.Background()); err != nil {
			b.Error(err)
		}
	}
}

// bareTrips returns an echo over a bare stream of its own for each caller.
func bareTrips(b *testing.B, callers int) func(caller int) {
	host := &handshake.Host{Dir: testhost.Dir(b)}
	child := testhost.Start(b, host.Env(), testhost.Build(b, bad), "bare")
	if _, err := child.FirstLine(b.Context()); err != nil {
		b.Fatal(err)
	}
	cc, err := grpc.NewClient("unix:"+host.Dir+"/s", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cc.Close() })
	streams := make([]grpc.ClientStream, callers)
	for i := range streams {
		desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
		if streams[i], err = cc.NewStream(context.Background(), desc, "/bare/Echo"); err != nil {
			b.Fatal(err)
		}
	}
	message := &wrapperspb.BytesValue{Value: make([]byte, 64)}
	return func(caller int) {
		var back wrapperspb.BytesValue
		if err := streams[caller].SendMsg(message); err != nil {
			b.Error(err)
		}
		if err := streams[caller].RecvMsg(&back); err != nil {
			b.Error(err)
		}
	}
}
