package controller_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed-04209a44/peerd/controller"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

func Example() {
	c, err := controller.New(controller.Options{Engine: cluster.NewMemory().Engine("one")})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = c.Run(ctx) })
	<-c.Running()

	mux := &exchange.Mux{Replies: exchange.NewReplyCache(0, 0, true)}
	mux.Handle("GREET", func(_ context.Context, req *exchange.Request) (any, error) {
		var name string
		err := req.Decode(&name)
		return "hello " + name, err
	})
	connector := exchange.NewConnector(exchange.ConnectorOptions{
		Endpoints: []string{"embedded"},
		Dial: func(context.Context, string) (exchange.Channel, error) {
			return c.Embedded(controller.Identity{})
		},
		Hello:   exchange.Hello{TargetID: "greeters"},
		Channel: exchange.Options{Handlers: mux},
	})
	wg.Go(func() { _ = connector.Run(ctx) })

	// A batch waits for its target, so there is no need to wait for it here.
	b := controller.Batch{Target: "greeters"}
	for _, name := range []string{"ada", "grace"} {
		cmd, err := exchange.NewCommand("GREET", name)
		if err != nil {
			fmt.Println(err)
			return
		}
		b.Commands = append(b.Commands, controller.BatchCommand{Command: cmd})
	}
	b, err = c.Batches().Execute(ctx, b)
	if err == nil {
		b, err = c.Batches().Wait(ctx, b.ID)
	}
	fmt.Println(b.Status, err)

	cmd, err := exchange.NewCommand("GREET", "joan")
	if err != nil {
		fmt.Println(err)
		return
	}
	reply, err := c.Send(ctx, "greeters", cmd, controller.Choice{})
	fmt.Println(string(reply.Payload), err)
	// Output:
	// SUCCEEDED <nil>
	// "hello joan" <nil>
}
