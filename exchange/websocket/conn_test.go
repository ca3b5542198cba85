package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a controller; its URL is what connectors dial.
func serve(t testing.TB, o ServerOptions) (url string, server *Server) {
	t.Helper()
	server = NewServer(o)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		server.Close()
		web.Close()
	})
	return web.URL, server
}

// answer runs an endpoint on a channel.
func answer(mux *exchange.Mux) func(context.Context, *Conn) {
	return func(ctx context.Context, ch *Conn) {
		_ = exchange.NewEndpoint(ch, exchange.Options{Handlers: mux}).Run(ctx)
	}
}

func testMux() *exchange.Mux {
	m := &exchange.Mux{}
	m.Handle("ECHO", func(_ context.Context, req *exchange.Request) (any, error) { return req.Payload, nil })
	m.Know("KNOWN")
	return m
}

func dial(t testing.TB, url string, o DialOptions) *Conn {
	t.Helper()
	c, err := Dial(ctx(t), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func ctx(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func command(t testing.TB, typ string, v any) exchange.Command {
	t.Helper()
	cmd, err := exchange.NewCommand(typ, v)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// ends returns the endpoints of both sides of one connection.
func ends(t testing.TB, p Protocol) (connector, controller *exchange.Endpoint) {
	t.Helper()
	accepted := make(chan *exchange.Endpoint, 1)
	url, _ := serve(t, ServerOptions{Accept: func(ctx context.Context, ch *Conn) {
		e := exchange.NewEndpoint(ch, exchange.Options{Handlers: testMux()})
		accepted <- e
		_ = e.Run(ctx)
	}})
	connector = exchange.NewEndpoint(dial(t, url, DialOptions{Protocol: p}), exchange.Options{Handlers: testMux()})
	go connector.Run(context.Background())
	t.Cleanup(func() {
		connector.Close()
		<-connector.Done()
	})
	return connector, <-accepted
}

func TestBothWays(t *testing.T) {
	for _, p := range []Protocol{V1, Legacy} {
		a, b := ends(t, p)
		for side, e := range map[string]*exchange.Endpoint{"connector": a, "controller": b} {
			t.Run(string(p)+" from the "+side, func(t *testing.T) {
				large := 12_000_000
				if p == Legacy {
					large = 200_000 // enough to be fragmented; large ones are slow under the race detector
				}
				for _, payload := range []string{"", "a;;b;;e:c;;t:REPLY", strings.Repeat("x;;", large/3)} {
					r, err := e.Call(ctx(t), command(t, "ECHO", payload))
					if err != nil || string(r.Payload) != `"`+payload+`"` {
						t.Errorf("%d bytes: %d bytes %s %q, %v", len(payload), len(r.Payload), r.Status, r.ErrorDetails, err)
					}
				}
				if _, err := e.Call(ctx(t), command(t, "NOBODY", nil)); !errors.Is(err, exchange.ErrUnknown) {
					t.Errorf("NOBODY: %v", err)
				}
				if _, err := e.Call(ctx(t), command(t, "KNOWN", nil)); !errors.Is(err, exchange.ErrNoReply) {
					t.Errorf("KNOWN: %v", err)
				}
				if _, err := e.Call(ctx(t), command(t, "ECHO", strings.Repeat("x", DefaultMaxMessage))); !errors.Is(err, exchange.ErrTooLarge) {
					t.Errorf("over the limit: %v", err)
				}
			})
		}
	}
}

func TestLegacyControllerAssumesReplies(t *testing.T) {
	_, controller := ends(t, Legacy)
	for _, typ := range []string{exchange.TypePrimary, exchange.TypeHealthCheck} {
		if r, err := controller.Call(ctx(t), command(t, typ, exchange.Primary{Primary: true})); err != nil || r.Status != exchange.Succeeded {
			t.Errorf("%s = %+v, %v", typ, r, err)
		}
	}
	_, err := controller.Call(ctx(t), command(t, exchange.TypeGoodBye, exchange.GoodBye{Reconnect: true}))
	if !errors.Is(err, exchange.ErrClosed) {
		t.Errorf("GOOD_BYE with reconnect: %v, want the channel closed", err)
	}
}

func TestRefusedUpgrades(t *testing.T) {
	var authenticated atomic.Int32
	url, server := serve(t, ServerOptions{
		Prefix: "/fleet/",
		Authenticate: func(r *http.Request) (any, error) {
			authenticated.Add(1)
			switch r.Header.Get("Authorization") {
			case "good":
				return "ada", nil
			case "panic":
				panic("no database")
			case "error":
				return nil, errors.New("no database")
			}
			return nil, fmt.Errorf("no token: %w", ErrUnauthorized)
		},
		Accept: func(ctx context.Context, ch *Conn) {
			if ch.Identity != "ada" || ch.Request.Header.Get("X-Custom") != "1" {
				t.Errorf("identity %v of request %+v", ch.Identity, ch.Request.Header)
			}
			answer(testMux())(ctx, ch)
		},
	})
	tests := []struct {
		path, token string
		want        int // 0: accepted
	}{
		{"/fleet", "good", 0},
		{"/fleet/", "good", 0},
		{"", "good", http.StatusNotFound},
		{"/other", "good", http.StatusNotFound},
		{"/fleet", "", http.StatusUnauthorized},
		{"/fleet", "error", http.StatusInternalServerError},
		{"/fleet", "panic", http.StatusInternalServerError},
	}
	try := func(path, token string) int {
		c, err := Dial(ctx(t), url+path, DialOptions{Header: http.Header{"Authorization": {token}, "X-Custom": {"1"}}})
		if err == nil {
			c.Close()
			return 0
		}
		var refused *StatusError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", path, err)
			return -1
		}
		return refused.Code
	}
	for _, tt := range tests {
		if got := try(tt.path, tt.token); got != tt.want {
			t.Errorf("%s with token %q: status %d, want %d", tt.path, tt.token, got, tt.want)
		}
	}
	server.Close()
	before := authenticated.Load()
	if got := try("/fleet", "good"); got != http.StatusGone || authenticated.Load() != before {
		t.Errorf("after Close: status %d, %d more authenticated; want 410 and none", got, authenticated.Load()-before)
	}
}

// TestProtocolChoice: what a connector names decides what is spoken with it.
func TestProtocolChoice(t *testing.T) {
	chosen := make(chan Protocol, 1)
	url, _ := serve(t, ServerOptions{Accept: func(_ context.Context, ch *Conn) { chosen <- ch.Protocol }})
	tests := []struct {
		path, header string
		want         Protocol
	}{
		{path, "v1", V1},
		{path, "legacy", Legacy},
		{path, "", Legacy},
		{path, "v9", Legacy},
		{path + "/", "v1", V1},
		{path, "V1", Legacy},
		{"/ws/controller/anything", "v1", Legacy},
		{"/ws/controller", "v1", Legacy},
	}
	for _, tt := range tests {
		ws, _, err := websocket.Dial(ctx(t), url+tt.path, &websocket.DialOptions{HTTPHeader: http.Header{ProtocolHeader: {tt.header}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := <-chosen; got != tt.want {
			t.Errorf("%s with header %q: %s, want %s", tt.path, tt.header, got, tt.want)
		}
		ws.CloseNow()
	}
}

// TestBrokenProtocolIsClosedWithItsCode speaks to a controller by hand.
func TestBrokenProtocolIsClosedWithItsCode(t *testing.T) {
	hello := `t:COMMAND;;et:HELLO;;e:{"id":"1","type":"HELLO","payload":{"targetId":"t"}}`
	url, _ := serve(t, ServerOptions{Accept: func(ctx context.Context, ch *Conn) {
		_, err := exchange.Welcome(ctx, ch, func(_ context.Context, req *exchange.Request) (any, error) { return req.Payload, nil })
		if err != nil {
			return
		}
		answer(testMux())(ctx, ch)
	}})
	tests := []struct {
		name string
		send []string
		text bool
		want websocket.StatusCode
	}{
		{"no hello", []string{`t:COMMAND;;et:ECHO;;e:{"id":"1","type":"ECHO"}`}, false, 1002},
		{"reply first", []string{`t:REPLY;;et:HELLO;;e:{"commandId":"1"}`}, false, 1002},
		{"text", []string{hello}, true, 1003},
		{"unknown kind", []string{hello, `t:QUESTION;;et:X;;e:{}`}, false, 1002},
		{"null command", []string{hello, `t:COMMAND;;et:X;;e:null`}, false, 1002},
		{"malformed JSON", []string{hello, `t:COMMAND;;et:X;;e:{"id`}, false, 1011},
		{"too large", []string{hello, strings.Repeat("x", DefaultMaxMessage+1)}, false, 1009},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ws, _, err := websocket.Dial(ctx(t), url+path, &websocket.DialOptions{HTTPHeader: http.Header{ProtocolHeader: {"v1"}}})
			if err != nil {
				t.Fatal(err)
			}
			defer ws.CloseNow()
			kind := websocket.MessageBinary
			if tt.text {
				kind = websocket.MessageText
			}
			for i, message := range tt.send {
				if err := ws.Write(ctx(t), kind, []byte(message)); err != nil {
					t.Logf("write: %v", err)
				}
				if i < len(tt.send)-1 {
					if _, _, err := ws.Read(ctx(t)); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, _, err = ws.Read(ctx(t))
			if got := websocket.CloseStatus(err); got != tt.want {
				t.Errorf("closed with %v (%v), want %v", got, err, tt.want)
			}
		})
	}
}

func TestCloseCodesArrive(t *testing.T) {
	for _, code := range []int{exchange.CloseNormal, exchange.CloseProtocol, exchange.CloseInternal, exchange.CloseTryAgain} {
		url, _ := serve(t, ServerOptions{Accept: func(_ context.Context, ch *Conn) {
			ch.CloseWith(code, strings.Repeat("é", 100))
		}})
		_, err := dial(t, url, DialOptions{}).Recv()
		var ce *exchange.CloseError
		if !errors.As(err, &ce) || ce.Code != code {
			t.Errorf("Recv = %v, want code %d", err, code)
		}
		if errors.Is(err, io.EOF) != (code == exchange.CloseNormal) {
			t.Errorf("code %d: errors.Is(err, io.EOF) = %v", code, errors.Is(err, io.EOF))
		}
	}
}

// TestSilentSideIsCut: the controller's socket lives but answers no ping.
func TestSilentSideIsCut(t *testing.T) {
	url, _ := serve(t, ServerOptions{Options: Options{PingInterval: -1}, Accept: func(ctx context.Context, _ *Conn) { <-ctx.Done() }})
	c := dial(t, url, DialOptions{Options: Options{PingInterval: time.Millisecond, PongTimeout: 10 * time.Millisecond}})
	if _, err := c.Recv(); err == nil || !strings.Contains(err.Error(), "no pong") {
		t.Errorf("Recv = %v, want no pong", err)
	}
}

// TestLargeMessagesAreFragmented: no frame is larger than the other side takes.
func TestLargeMessagesAreFragmented(t *testing.T) {
	frames := make(chan int, 1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ws.SetReadLimit(1 << 20)
		_, message, err := ws.Reader(r.Context())
		if err != nil {
			return
		}
		largest, buffer := 0, make([]byte, 1<<20)
		for {
			n, err := message.Read(buffer) // at most one frame at a time
			largest = max(largest, n)
			if err != nil {
				break
			}
		}
		frames <- largest
	}))
	defer web.Close()
	c := dial(t, web.URL, DialOptions{Options: Options{PingInterval: -1}})
	cmd := command(t, "ECHO", strings.Repeat("x", 200_000))
	if err := c.Send(exchange.Frame{Command: &cmd}); err != nil {
		t.Fatal(err)
	}
	if largest := <-frames; largest > DefaultMaxFrame {
		t.Errorf("a frame of %d bytes, at most %d", largest, DefaultMaxFrame)
	}
}

func TestURL(t *testing.T) {
	tests := map[string]string{
		"http://host":               "http://host/exchange/controller",
		"https://host/":             "https://host/exchange/controller",
		"http://my_host:8062/a/b/":  "http://my_host:8062/a/b/exchange/controller",
		" http://[::1]:1/x ":        "http://[::1]:1/x/exchange/controller",
		"ws://host":                 "",
		"host:80":                   "",
		"http://":                   "",
		"http://host?x=1":           "",
		"http://ho st":              "",
		"":                          "",
		"http://user:secret@host/p": "",
	}
	for in, want := range tests {
		u, err := URL(in)
		got := ""
		if err == nil {
			got = u.String()
		}
		if got != want || (err == nil) != (want != "") {
			t.Errorf("URL(%q) = %q, %v; want %q", in, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}
