package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed-04209a44/peerd/exchange"
)

// serveEnv makes the test binary a server on the socket it names.
const serveEnv = "EXCHANGE_TEST_SERVE"

func TestMain(m *testing.M) {
	if path := os.Getenv(serveEnv); path != "" {
		serveForever(path)
	}
	goleak.VerifyTestMain(m)
}

func serveForever(path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := grpc.NewServer(ServerOptions(Options{})...)
	Register(server, Options{}, func(ctx context.Context, ch exchange.Channel) error {
		return exchange.NewEndpoint(ch, exchange.Options{Handlers: testMux()}).Run(ctx)
	})
	fmt.Println("serving")
	fmt.Fprintln(os.Stderr, server.Serve(l))
	os.Exit(1)
}

func testMux() *exchange.Mux {
	m := &exchange.Mux{}
	m.Handle("ECHO", func(_ context.Context, req *exchange.Request) (any, error) { return req.Payload, nil })
	m.Handle("COUNT", func(_ context.Context, req *exchange.Request) (any, error) {
		for i := range 100 {
			if err := req.Progress(i); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	m.Handle("HANG", func(ctx context.Context, req *exchange.Request) (any, error) {
		if err := req.Progress("hanging"); err != nil {
			return nil, err
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	m.Handle("GROW", func(context.Context, *exchange.Request) (any, error) {
		return strings.Repeat("x", DefaultMaxMessage), nil
	})
	return m
}

// serve starts a server on a unix socket and returns a connection to it.
func serve(t testing.TB, accept Accept) *grpc.ClientConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(ServerOptions(Options{})...)
	service := Register(server, Options{}, accept)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		server.Stop()
		wg.Wait()
		service.Wait()
	})
	return dial(t, path)
}

func dial(t testing.TB, path string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// open opens a channel; its endpoint ends with the test.
func open(t testing.TB, conn *grpc.ClientConn, mux *exchange.Mux) (e *exchange.Endpoint, ended <-chan error) {
	t.Helper()
	ch, err := Open(context.Background(), conn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e = exchange.NewEndpoint(ch, exchange.Options{Handlers: mux})
	result := make(chan error, 1)
	go func() { result <- e.Run(context.Background()) }()
	t.Cleanup(func() {
		e.Close()
		<-e.Done()
	})
	return e, result
}

// twoEnds returns the endpoints of both sides of one stream.
func twoEnds(t testing.TB) (client, server *exchange.Endpoint) {
	t.Helper()
	accepted := make(chan *exchange.Endpoint, 1)
	conn := serve(t, func(ctx context.Context, ch exchange.Channel) error {
		e := exchange.NewEndpoint(ch, exchange.Options{Handlers: testMux()})
		accepted <- e
		return e.Run(ctx)
	})
	client, _ = open(t, conn, testMux())
	return client, <-accepted
}

func command(t testing.TB, typ string, v any) exchange.Command {
	t.Helper()
	cmd, err := exchange.NewCommand(typ, v)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestBothWays(t *testing.T) {
	client, server := twoEnds(t)
	for name, e := range map[string]*exchange.Endpoint{"client": client, "server": server} {
		t.Run(name, func(t *testing.T) {
			ctx := timeout(t)
			r, err := e.Call(ctx, command(t, "ECHO", map[string]string{"a": "b"}))
			if err != nil || string(r.Payload) != `{"a":"b"}` || r.Status != exchange.Succeeded {
				t.Errorf("ECHO = %+v, %v", r, err)
			}
			n := 0
			_, err = e.Stream(ctx, command(t, "COUNT", nil), func(r exchange.Reply) error {
				if string(r.Payload) != fmt.Sprint(n) {
					t.Errorf("reply %d has payload %s", n, r.Payload)
				}
				n++
				return nil
			})
			if err != nil || n != 100 {
				t.Errorf("COUNT gave %d replies, %v", n, err)
			}
			if _, err := e.Call(ctx, command(t, "NOBODY", nil)); !errors.Is(err, exchange.ErrUnknown) {
				t.Errorf("NOBODY: %v", err)
			}
		})
	}
}

func TestLargePayloads(t *testing.T) {
	client, server := twoEnds(t)
	for name, e := range map[string]*exchange.Endpoint{"client": client, "server": server} {
		t.Run(name, func(t *testing.T) {
			ctx := timeout(t)
			big := strings.Repeat("p", 12_000_000)
			r, err := e.Call(ctx, command(t, "ECHO", big))
			if err != nil || len(r.Payload) != len(big)+2 {
				t.Errorf("12 MB: %d bytes, %v", len(r.Payload), err)
			}
			_, err = e.Call(ctx, command(t, "ECHO", strings.Repeat("p", DefaultMaxMessage)))
			if !errors.Is(err, exchange.ErrTooLarge) || !strings.Contains(err.Error(), "at most 16777216") {
				t.Errorf("over the limit: %v", err)
			}
			r, err = e.Call(ctx, command(t, "GROW", nil))
			if err != nil || r.Status != exchange.Failed || !strings.Contains(r.ErrorDetails, "at most 16777216") {
				t.Errorf("reply over the limit: %s %q, %v", r.Status, r.ErrorDetails, err)
			}
			if r, err = e.Call(ctx, command(t, "ECHO", 1)); err != nil || string(r.Payload) != "1" {
				t.Errorf("the channel after it: %+v, %v", r, err)
			}
		})
	}
}

// TestServerKilled kills a real server process in the middle of a call.
func TestServerKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+path)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := io.ReadFull(stdout, make([]byte, len("serving\n"))); err != nil {
		t.Fatal(err)
	}
	e, ended := open(t, dial(t, path), nil)
	_, err = e.Stream(timeout(t), command(t, "HANG", nil), func(exchange.Reply) error {
		return cmd.Process.Kill()
	})
	if !errors.Is(err, exchange.ErrClosed) {
		t.Errorf("the call in flight: %v, want ErrClosed", err)
	}
	if err := <-ended; err == nil {
		t.Error("Run = nil, want why the stream broke")
	}
}

func TestOrderlyClose(t *testing.T) {
	for _, side := range []string{"client", "server"} {
		t.Run(side, func(t *testing.T) {
			accepted := make(chan *exchange.Endpoint, 1)
			serverEnded := make(chan error, 1)
			conn := serve(t, func(ctx context.Context, ch exchange.Channel) error {
				e := exchange.NewEndpoint(ch, exchange.Options{Handlers: testMux()})
				accepted <- e
				err := e.Run(ctx)
				serverEnded <- err
				return err
			})
			client, clientEnded := open(t, conn, testMux())
			server := <-accepted
			if side == "client" {
				client.Close()
			} else {
				server.Close()
			}
			if err := <-clientEnded; err != nil {
				t.Errorf("client: Run = %v", err)
			}
			if err := <-serverEnded; err != nil {
				t.Errorf("server: Run = %v", err)
			}
		})
	}
}

// TestLastReplyBeforeClose: the reply of a handler that closes its own channel
// reaches the caller, from either side, every time.
func TestLastReplyBeforeClose(t *testing.T) {
	for range 50 {
		var server *exchange.Endpoint
		conn := serve(t, func(ctx context.Context, ch exchange.Channel) error {
			m := &exchange.Mux{}
			m.Handle("STOP", func(context.Context, *exchange.Request) (any, error) {
				server.Close()
				return nil, nil
			})
			server = exchange.NewEndpoint(ch, exchange.Options{Handlers: m})
			return server.Run(ctx)
		})
		client, ended := open(t, conn, nil)
		r, err := client.Call(timeout(t), command(t, "STOP", nil))
		if err != nil || r.Status != exchange.Succeeded {
			t.Fatalf("STOP = %+v, %v", r, err)
		}
		if err := <-ended; err != nil {
			t.Fatalf("Run = %v", err)
		}
	}
}

// TestOtherSideThatIgnoresHalfClose: Close is bounded all the same.
func TestOtherSideThatIgnoresHalfClose(t *testing.T) {
	deaf := make(chan struct{})
	conn := serve(t, func(ctx context.Context, _ exchange.Channel) error {
		<-deaf
		return nil
	})
	defer close(deaf)
	client, ended := open(t, conn, nil)
	client.Close()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestOpenHonoursItsContext(t *testing.T) {
	conn := serve(t, func(ctx context.Context, _ exchange.Channel) error { return nil })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, conn, Options{}); err == nil {
		t.Error("Open with a context that has ended succeeded")
	}
}

func TestEnvelopeSurvives(t *testing.T) {
	at := time.Now().Round(0).UTC().Add(time.Hour)
	frames := []exchange.Frame{
		{},
		{Command: &exchange.Command{ID: "i", Type: "T", Payload: json.RawMessage(`{"a":1}`), ExpiresAt: &at, Priority: -3, TraceParent: "tp", IdempotencyKey: "k"}},
		{Reply: &exchange.Reply{CommandID: "i", Type: "T", Status: exchange.Failed, ErrorDetails: "why", Payload: json.RawMessage(`{}`), TraceParent: "tp"}},
		{Reply: &exchange.Reply{CommandID: "i", Type: "T", Status: exchange.Pending}},
	}
	for _, f := range frames {
		want, _ := json.Marshal(f)
		got, _ := json.Marshal(fromProto(toProto(f)))
		if string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if s := statusFromProto(99); s != exchange.Failed {
		t.Errorf("unknown status = %s, want ERROR", s)
	}
}
