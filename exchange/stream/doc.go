// Package stream carries an exchange channel over one bidirectional gRPC stream.
//
// The serving side registers the service and runs an endpoint on each channel
// that arrives:
//
//	server := grpc.NewServer(stream.ServerOptions(stream.Options{})...)
//	service := stream.Register(server, stream.Options{}, func(ctx context.Context, ch exchange.Channel) error {
//		return exchange.NewEndpoint(ch, exchange.Options{Handlers: mux}).Run(ctx)
//	})
//
// The calling side opens a channel on a connection it has:
//
//	ch, err := stream.Open(ctx, conn, stream.Options{})
//	endpoint := exchange.NewEndpoint(ch, exchange.Options{})
//	go endpoint.Run(ctx)
//
// After that both sides are alike. The protocol is exchange.proto in this
// folder, for authors in any language; exchange/spec.md has the rules.
//
// A channel is safe for one sender beside one receiver, as exchange.Channel
// says. A frame over Options.MaxMessage is refused by the sender, with an error
// that wraps exchange.ErrTooLarge, and harms nothing else.
package stream
