// Package websocket carries an exchange channel over a WebSocket, in both roles.
//
// A connector dials a controller:
//
//	ch, err := websocket.Dial(ctx, "https://controller:8062", websocket.DialOptions{})
//	endpoint := exchange.NewEndpoint(ch, exchange.Options{Handlers: mux})
//
// A controller mounts a Server on an http.Server; each channel is handed to
// ServerOptions.Accept, which welcomes the connector and runs an endpoint:
//
//	server := websocket.NewServer(websocket.ServerOptions{Accept: func(ctx context.Context, ch *websocket.Conn) {
//		if _, err := exchange.Welcome(ctx, ch, hello); err != nil {
//			return
//		}
//		err := exchange.NewEndpoint(ch, exchange.Options{Handlers: mux}).Run(ctx)
//		…
//	}})
//
// The http.Server it is mounted on needs a ReadHeaderTimeout, as any does.
//
// Two protocols are spoken: v1, and legacy for connectors that do not name one.
// The frames are described in exchange/spec.md.
//
// A Conn is safe for one sender beside one receiver. It pings the other side
// while somebody receives from it, and ends when the pong stays away.
package websocket
