package stream_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream"
)

// A server that answers GREET, and a client that calls it, over a unix socket.
func Example() {
	dir, err := os.MkdirTemp("", "stream")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := &exchange.Mux{}
	mux.Handle("GREET", func(context.Context, *exchange.Request) (any, error) { return "hello", nil })
	server := grpc.NewServer(stream.ServerOptions(stream.Options{})...)
	service := stream.Register(server, stream.Options{}, func(ctx context.Context, ch exchange.Channel) error {
		return exchange.NewEndpoint(ch, exchange.Options{Handlers: mux}).Run(ctx)
	})
	go server.Serve(listener)
	defer service.Wait()
	defer server.Stop()

	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	ch, err := stream.Open(context.Background(), conn, stream.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	endpoint := exchange.NewEndpoint(ch, exchange.Options{})
	go endpoint.Run(context.Background())
	reply, err := endpoint.Call(context.Background(), exchange.Command{Type: "GREET"})
	fmt.Println(reply.Status, string(reply.Payload), err)
	endpoint.Close()
	<-endpoint.Done()
	// Output:
	// SUCCEEDED "hello" <nil>
}
