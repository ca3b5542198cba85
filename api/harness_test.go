package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/api/apitest"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// fixture is a server of canned answers on a real socket.
type fixture struct {
	socket string
	peer   *apitest.Peer
	mux    *exchange.Mux
	client *api.Client
	http   *http.Client // over the socket
}

// start serves until the test ends; change may adjust the options.
func start(t *testing.T, change func(*api.Options)) *fixture {
	t.Helper()
	f := &fixture{socket: filepath.Join(shortDir(t), "run", "peerd.sock"), peer: apitest.New(), mux: &exchange.Mux{}}
	l, err := api.ListenUnix(f.socket)
	if err != nil {
		t.Fatal(err)
	}
	f.peer.Register(f.mux)
	o := api.Options{Commands: f.mux, Authorize: access(t), Metrics: f.peer}
	if change != nil {
		change(&o)
	}
	serve(t, api.NewServer(o), l)
	f.client = api.NewClient(f.socket)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", f.socket)
	}}
	f.http = &http.Client{Transport: transport}
	t.Cleanup(f.client.Close)
	t.Cleanup(transport.CloseIdleConnections)
	return f
}

// serve runs s on l until the test ends.
func serve(t *testing.T, s *api.Server, l net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func access(t *testing.T) func(api.Credentials) control.Caller {
	t.Helper()
	authorize, err := api.Access(nil)
	if err != nil {
		t.Fatal(err)
	}
	return authorize
}

// shortDir is a temporary folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// do makes a request over the socket and returns the response with its body.
func (f *fixture) do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	resp := f.open(t, method, path, body, header...)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// errorOf is the error in a body.
func errorOf(t *testing.T, body string) control.Error {
	t.Helper()
	var f struct{ Error *control.Error }
	if err := json.Unmarshal([]byte(body), &f); err != nil || f.Error == nil {
		t.Fatalf("no error in %q (%v)", body, err)
	}
	return *f.Error
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// open makes a request over the socket; the body is the caller's to close.
func (f *fixture) open(t *testing.T, method, path, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://peerd"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := f.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
