package api_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// A peer answers one operation; a client on the same host asks for it.
func ExampleServer() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	var mux exchange.Mux
	control.Handle(&mux, control.OpStatus, func(ctx context.Context, _ struct{}, _ control.Send) (control.PeerStatus, error) {
		return control.PeerStatus{Peer: "demo", Degraded: []string{}}, nil
	})
	authorize, err := api.Access(nil) // root and this user
	if err != nil {
		panic(err)
	}
	socket := filepath.Join(dir, "run", "peerd.sock")
	l, err := api.ListenUnix(socket)
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- api.NewServer(api.Options{Commands: &mux, Authorize: authorize}).Serve(ctx, l) }()

	client := api.NewClient(socket)
	var status control.PeerStatus
	err = client.Call(ctx, control.OpStatus, nil, &status)
	fmt.Println(status.Peer, err)

	client.Close()
	stop()
	fmt.Println(<-served)
	// Output:
	// demo <nil>
	// <nil>
}
