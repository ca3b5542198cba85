package exchange_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-04209a44/peerd/exchange"
)

// connect runs two endpoints on a pipe until stop is called.
func connect(left, right *exchange.Mux) (a, b *exchange.Endpoint, stop func()) {
	x, y := exchange.Pipe()
	a = exchange.NewEndpoint(x, exchange.Options{Handlers: left})
	b = exchange.NewEndpoint(y, exchange.Options{Handlers: right})
	go a.Run(context.Background())
	go b.Run(context.Background())
	return a, b, func() {
		a.Close()
		<-a.Done()
		<-b.Done()
	}
}

func ExampleEndpoint_Call() {
	mux := &exchange.Mux{}
	mux.Handle("GREET", func(_ context.Context, req *exchange.Request) (any, error) {
		var who struct{ Name string }
		if err := req.Decode(&who); err != nil {
			return nil, err
		}
		if who.Name == "" {
			return nil, errors.New("name is missing")
		}
		return map[string]string{"text": "hello " + who.Name}, nil
	})
	caller, _, stop := connect(nil, mux)
	defer stop()

	for _, name := range []string{"ada", ""} {
		cmd, err := exchange.NewCommand("GREET", map[string]string{"name": name})
		if err != nil {
			fmt.Println(err)
			return
		}
		reply, err := caller.Call(context.Background(), cmd)
		fmt.Println(reply.Status, string(reply.Payload), reply.Err(), err)
	}
	// Output:
	// SUCCEEDED {"text":"hello ada"} <nil> <nil>
	// ERROR  name is missing <nil>
}

func ExampleEndpoint_Stream() {
	mux := &exchange.Mux{}
	mux.Handle("COUNT", func(_ context.Context, req *exchange.Request) (any, error) {
		for i := range 3 {
			if err := req.Progress(i); err != nil {
				return nil, err
			}
		}
		return "done", nil
	})
	caller, _, stop := connect(nil, mux)
	defer stop()

	cmd := exchange.Command{Type: "COUNT"}
	reply, err := caller.Stream(context.Background(), cmd, func(r exchange.Reply) error {
		fmt.Println(r.Status, string(r.Payload))
		return nil
	})
	fmt.Println(reply.Status, string(reply.Payload), err)
	// Output:
	// IN_PROGRESS 0
	// IN_PROGRESS 1
	// IN_PROGRESS 2
	// SUCCEEDED "done" <nil>
}

func ExampleMux_Dispatch() {
	mux := &exchange.Mux{}
	mux.Know("FLUSH")
	for _, typ := range []string{"FLUSH", "FLY"} {
		reply := mux.Dispatch(context.Background(), exchange.Command{ID: "1", Type: typ}, nil)
		fmt.Println(reply.Type, reply.ErrorDetails)
	}
	// Output:
	// NO_REPLY no handler for commands of type FLUSH
	// UNKNOWN Command unknown
}

func ExampleConnector() {
	dial := func(ctx context.Context, endpoint string) (exchange.Channel, error) {
		connector, controller := exchange.Pipe() // websocket.Dial, where there is a network
		go serve(controller)
		return connector, nil
	}
	ctx, stop := context.WithCancel(context.Background())
	c := exchange.NewConnector(exchange.ConnectorOptions{
		Endpoints: []string{"http://controller:8062"},
		Dial:      dial,
		Hello:     exchange.Hello{TargetID: "billing", ID: "peer-1"},
		Observe: func(ev exchange.ConnectorEvent) {
			switch ev.Kind {
			case exchange.Connected:
				fmt.Println("connected to", ev.Endpoint, "as", ev.Target)
				stop()
			case exchange.Disconnected:
				fmt.Println("disconnected:", ev.Err)
			}
		},
	})
	fmt.Println(c.Run(ctx))
	// Output:
	// connected to http://controller:8062 as billing
	// disconnected: <nil>
	// <nil>
}

// serve is the least a controller does.
func serve(ch exchange.Channel) {
	_, err := exchange.Welcome(context.Background(), ch, func(_ context.Context, req *exchange.Request) (any, error) {
		var hello exchange.Hello
		if err := req.Decode(&hello); err != nil {
			return nil, err
		}
		return exchange.Hello{TargetID: hello.TargetID}, nil // the controller may give another target
	})
	if err != nil {
		return
	}
	_ = exchange.NewEndpoint(ch, exchange.Options{}).Run(context.Background())
}

func ExampleReplyCache() {
	mux := &exchange.Mux{Replies: exchange.NewReplyCache(0, 0, false)}
	charges := 0
	mux.Handle("CHARGE", func(context.Context, *exchange.Request) (any, error) {
		charges++
		return charges, nil
	})
	for range 3 { // the sender never saw the first two replies
		cmd := exchange.Command{ID: exchange.NewID(), Type: "CHARGE", IdempotencyKey: "invoice-17"}
		fmt.Println(string(mux.Dispatch(context.Background(), cmd, nil).Payload))
	}
	// Output:
	// 1
	// 1
	// 1
}
