package websocket_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// A controller that greets its connectors, and a connector.
func Example() {
	controller := websocket.NewServer(websocket.ServerOptions{Accept: func(ctx context.Context, ch *websocket.Conn) {
		_, err := exchange.Welcome(ctx, ch, func(_ context.Context, req *exchange.Request) (any, error) {
			return req.Payload, nil // the target that the connector proposes
		})
		if err != nil {
			return
		}
		e := exchange.NewEndpoint(ch, exchange.Options{})
		go func() {
			reply, err := e.Call(ctx, exchange.Command{Type: "GREET"})
			fmt.Println("controller got", string(reply.Payload), err)
			bye, err := exchange.NewCommand(exchange.TypeGoodBye, exchange.GoodBye{TargetID: "billing"})
			if err != nil {
				fmt.Println(err)
				return
			}
			_, _ = e.Call(ctx, bye)
		}()
		_ = e.Run(ctx)
	}})
	web := httptest.NewServer(controller)
	defer web.Close()
	defer controller.Close()

	mux := &exchange.Mux{}
	mux.Handle("GREET", func(context.Context, *exchange.Request) (any, error) { return "hello", nil })
	connector := exchange.NewConnector(exchange.ConnectorOptions{
		Endpoints: []string{web.URL},
		Dial: func(ctx context.Context, endpoint string) (exchange.Channel, error) {
			return websocket.Dial(ctx, endpoint, websocket.DialOptions{})
		},
		Hello:   exchange.Hello{TargetID: "billing", ID: "peer-1"},
		Channel: exchange.Options{Handlers: mux},
	})
	fmt.Println("connector ended:", connector.Run(context.Background()))
	// Output:
	// controller got "hello" <nil>
	// connector ended: <nil>
}
