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
