package api_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/journal"
)

// named answers ps with who it is, once released; entered has room for a call.
func named(name string, entered chan<- struct{}, release <-chan struct{}) *exchange.Mux {
	m := &exchange.Mux{}
	control.Handle(m, control.OpPs, func(context.Context, control.Selection, control.Send) ([]control.Instance, error) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-release
		return []control.Instance{{Name: name}}, nil
	})
	return m
}

// Servers take over the socket from each other while many clients call: nobody
// is refused, and nobody is left without an answer.
func TestRetireLosesNobody(t *testing.T) {
	path := filepath.Join(shortDir(t), "peerd.sock")
	released := make(chan struct{})
	close(released)
	l, err := api.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				client := api.NewClient(path)
				var rows []control.Instance
				if err := client.Call(context.Background(), control.OpPs, nil, &rows); err != nil || len(rows) != 1 {
					t.Errorf("call %d: %v, %v", n, rows, err)
					return
				}
				client.Close()
			}
		})
	}
	for range 50 {
		s := api.NewServer(api.Options{Commands: named("any", nil, released), Authorize: access(t)})
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background(), l) }()
		client := api.NewClient(path)
		if err := client.Call(t.Context(), control.OpPs, nil, nil); err != nil {
			t.Error(err)
		}
		client.Close()
		f, err := api.Keep(l)
		if err != nil {
			t.Fatal(err)
		}
		s.Retire()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if l, err = api.TakeOver(f); err != nil {
			t.Fatal(err)
		}
	}
	last := api.NewServer(api.Options{Commands: named("any", nil, released), Authorize: access(t)})
	serve(t, last, l)
	close(stop)
	callers.Wait()
}

// Who was accepted is answered by the server that retires, who comes later by
// the next one; the socket goes with the last.
func TestRetireAnswersWhoWasAccepted(t *testing.T) {
	path := filepath.Join(shortDir(t), "peerd.sock")
	l, err := api.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	release, entered, called := make(chan struct{}), make(chan struct{}, 1), make(chan string, 2)
	first := api.NewServer(api.Options{Commands: named("first", entered, release), Authorize: access(t)})
	served := make(chan error, 1)
	go func() { served <- first.Serve(context.Background(), l) }()
	call := func() {
		client := api.NewClient(path)
		defer client.Close()
		var rows []control.Instance
		if err := client.Call(context.Background(), control.OpPs, nil, &rows); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", rows, err)
			rows = make([]control.Instance, 1)
		}
		called <- rows[0].Name
	}
	go call()
	<-entered
	f, err := api.Keep(l)
	if err != nil {
		t.Fatal(err)
	}
	first.Retire()
	first.Retire()
	go call()
	close(release)
	if err := <-served; err != nil {
		t.Error(err)
	}
	if who := <-called; who != "first" {
		t.Errorf("answered by %q", who)
	}
	next, err := api.TakeOver(f)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := api.NewServer(api.Options{Commands: named("second", nil, release), Authorize: access(t)})
	go func() { served <- second.Serve(ctx, next) }()
	if who := <-called; who != "second" && who != "first" {
		t.Errorf("answered by %q", who)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestKeepWhatCannotBeKept(t *testing.T) {
	if _, err := api.Keep(struct{ net.Listener }{}); err == nil {
		t.Error("kept")
	}
}

// A client that is told to ask again does so with what it is told.
func TestClientAsksAgain(t *testing.T) {
	var asked []control.EventsRequest
	m := &exchange.Mux{}
	f := start(t, func(o *api.Options) { o.Commands = m })
	control.Handle(m, control.OpHistory, func(_ context.Context, r control.EventsRequest, _ control.Send) ([]journal.Record, error) {
		if asked = append(asked, r); len(asked) < 3 {
			return nil, control.AskAgain(map[string]any{"since": 7 * len(asked), "last": nil})
		}
		return []journal.Record{}, nil
	})
	if err := f.client.Call(t.Context(), control.OpHistory, control.EventsRequest{Name: "ticker", Last: 5}, nil); err != nil {
		t.Fatal(err)
	}
	want := []control.EventsRequest{{Name: "ticker", Last: 5}, {Name: "ticker", Since: 7}, {Name: "ticker", Since: 14}}
	for i := range want {
		if i >= len(asked) || asked[i] != want[i] {
			t.Fatalf("asked %+v, want %+v", asked, want)
		}
	}
}
