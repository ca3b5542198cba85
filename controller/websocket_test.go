package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ws "github.com/coder/websocket"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// foreign is a connector of another program: it speaks v1 by hand.
type foreign struct {
	t  *testing.T
	ws *ws.Conn
}

func dialForeign(t *testing.T, n *node) *foreign {
	t.Helper()
	web := httptest.NewServer(n.Handler())
	t.Cleanup(func() { n.stop(); web.Close() })
	c, _, err := ws.Dial(t.Context(), web.URL+"/exchange/controller", &ws.DialOptions{
		HTTPHeader: http.Header{"X-Gravitee-Exchange-Protocol": {"v1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { c.CloseNow() })
	return &foreign{t, c}
}

func (f *foreign) write(kind ws.MessageType, message string) {
	f.t.Helper()
	if err := f.ws.Write(f.t.Context(), kind, []byte(message)); err != nil {
		f.t.Fatal(err)
	}
}

// read expects a message of a pattern, and returns what its group has matched.
func (f *foreign) read(pattern string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	kind, data, err := f.ws.Read(ctx)
	if err != nil || kind != ws.MessageBinary {
		f.t.Fatalf("read %v, %v", kind, err)
	}
	m := regexp.MustCompile("^" + pattern + "$").FindSubmatch(data)
	if m == nil {
		f.t.Fatalf("read %s\nwant %s", data, pattern)
	}
	return string(m[len(m)-1])
}

// closedWith reads on until the controller closes.
func (f *foreign) closedWith(want ws.StatusCode) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := f.ws.Read(ctx); err != nil {
			if got := ws.CloseStatus(err); got != want {
				f.t.Errorf("closed with %d, want %d", got, want)
			}
			return
		}
	}
}

func (f *foreign) hello() {
	f.t.Helper()
	f.write(ws.MessageBinary, `t:COMMAND;;et:HELLO;;e:{"id":"h","type":"HELLO","payload":{"targetId":"t"}}`)
	f.read(`t:REPLY;;et:HELLO;;e:{"commandId":"h","type":"HELLO","commandStatus":"SUCCEEDED","payload":{"targetId":"t"}}`)
	id := f.read(`t:COMMAND;;et:PRIMARY;;e:{"id":"([^"]+)","type":"PRIMARY","payload":{"primary":true,"term":\d+}}`)
	f.write(ws.MessageBinary, `t:REPLY;;et:PRIMARY;;e:{"commandId":"`+id+`","type":"PRIMARY","commandStatus":"SUCCEEDED","payload":{}}`)
}

// TestForeignConnector goes through a connection's life as the frames of
// another program have it.
func TestForeignConnector(t *testing.T) {
	n := run(t, func(o *Options) { o.HealthInterval = time.Second })
	f := dialForeign(t, n)
	f.hello()
	id := f.read(`t:COMMAND;;et:HEALTH_CHECK;;e:{"id":"([^"]+)","type":"HEALTH_CHECK","payload":{}}`)
	f.write(ws.MessageBinary, `t:REPLY;;et:HEALTH_CHECK;;e:{"commandId":"`+id+`","type":"HEALTH_CHECK","commandStatus":"SUCCEEDED","payload":{"healthy":true,"detail":"fine"}}`)
	id = f.read(`t:COMMAND;;et:HEALTH_CHECK;;e:{"id":"([^"]+)",.*`)
	f.write(ws.MessageBinary, `t:REPLY;;et:HEALTH_CHECK;;e:{"commandId":"`+id+`","type":"HEALTH_CHECK","commandStatus":"SUCCEEDED","payload":{"healthy":false,"detail":"no disk"}}`)
	f.read(`t:COMMAND;;et:GOOD_BYE;;e:{"id":"([^"]+)","type":"GOOD_BYE","payload":{"targetId":"t","reconnect":true}}`)
	f.ws.Close(exchange.CloseTryAgain, "") // it does not answer, it closes
	n.waitFor(PrimaryVacated, 1)
}

func TestForeignConnectorIsKicked(t *testing.T) {
	for _, reconnect := range []bool{true, false} {
		n := run(t, func(o *Options) { o.HealthTimeout = time.Second })
		f := dialForeign(t, n)
		f.hello()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := n.Kick(n.Target("t")[0].ID, reconnect); err != nil {
				t.Error(err)
			}
		})
		f.read(fmt.Sprintf(`t:COMMAND;;et:GOOD_BYE;;e:{"id":"([^"]+)",.*"reconnect":%v.*`, reconnect))
		if reconnect { // it neither answers nor closes
			f.closedWith(exchange.CloseTryAgain)
		} else {
			f.closedWith(exchange.CloseNormal)
		}
		wg.Wait()
	}
}

func TestFirstCommandRule(t *testing.T) {
	for name, c := range map[string]struct {
		kind    ws.MessageType
		message string
		code    ws.StatusCode
	}{
		"another command": {ws.MessageBinary, `t:COMMAND;;et:ECHO;;e:{"id":"1","type":"ECHO","payload":{}}`, exchange.CloseProtocol},
		"a reply":         {ws.MessageBinary, `t:REPLY;;et:HELLO;;e:{"commandId":"1","type":"HELLO"}`, exchange.CloseProtocol},
		"no frame":        {ws.MessageBinary, `hello`, exchange.CloseProtocol},
		"text":            {ws.MessageText, `t:COMMAND;;et:HELLO;;e:{"id":"1","type":"HELLO","payload":{"targetId":"t"}}`, exchange.CloseUnsupported},
		"null":            {ws.MessageBinary, `t:COMMAND;;et:HELLO;;e:null`, exchange.CloseProtocol},
		"no JSON":         {ws.MessageBinary, `t:COMMAND;;et:HELLO;;e:{`, exchange.CloseInternal},
	} {
		t.Run(name, func(t *testing.T) {
			n := run(t, nil)
			f := dialForeign(t, n)
			f.write(c.kind, c.message)
			f.closedWith(c.code)
			n.waitFor(ConnectorRefused, 1)
		})
	}
}

func TestBigCommandsBothWays(t *testing.T) {
	text := strings.Repeat("abc;;éfg", 12<<20/9)
	n := run(t, func(o *Options) {
		o.Handlers = func(Channel) *exchange.Mux {
			m := &exchange.Mux{}
			m.Handle("ECHO", func(_ context.Context, req *exchange.Request) (any, error) { return req.Payload, nil })
			return m
		}
	})
	p := n.join("t", "p", n.serveWeb(websocket.DialOptions{}))
	for way, send := range map[string]func() (exchange.Reply, error){
		"down": func() (exchange.Reply, error) { return n.Send(t.Context(), "t", command(t, "ECHO", text), Choice{}) },
		"up":   func() (exchange.Reply, error) { return p.Call(t.Context(), command(t, "ECHO", text)) },
	} {
		reply, err := send()
		var got string
		if err == nil {
			err = json.Unmarshal(reply.Payload, &got)
		}
		if err != nil || got != text {
			t.Errorf("%s: %d bytes came back, %v", way, len(got), err)
		}
	}
}

// TestAThousandComeBack restarts a controller that has a thousand connectors.
func TestAThousandComeBack(t *testing.T) {
	const count = 1000
	engine := cluster.NewMemory().Engine("one")
	var attempts, forGood atomic.Int64
	start := func(address string) (*node, string, func()) {
		n := run(t, func(o *Options) { o.Engine = engine })
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		web := &http.Server{Handler: n.Handler()}
		var wg sync.WaitGroup
		wg.Go(func() { _ = web.Serve(l) })
		return n, l.Addr().String(), func() { web.Close(); n.stop(); wg.Wait() }
	}
	n, address, end := start("127.0.0.1:0")
	for i := range count {
		n.dial(fmt.Sprint("t", i%10), fmt.Sprint("p", i), func(o *exchange.ConnectorOptions) {
			overWeb("http://"+address, websocket.DialOptions{})(o)
			o.MinBackoff, o.MaxBackoff = time.Second, 3*time.Second
			o.Observe = func(ev exchange.ConnectorEvent) {
				if ev.Retry < 0 {
					forGood.Add(1)
				}
			}
			dial := o.Dial
			o.Dial = func(ctx context.Context, endpoint string) (exchange.Channel, error) {
				attempts.Add(1)
				return dial(ctx, endpoint)
			}
		})
	}
	all := func() bool { return n.registry.count() == count }
	n.until("all have come", all)
	before := attempts.Load()
	end()
	n, _, end = start(address)
	defer end()
	n.until("all are back, or have ended for good", func() bool { return all() || forGood.Load() > 0 })
	if forGood.Load() > 0 {
		t.Errorf("%d connectors ended for good", forGood.Load())
	}
	if more := attempts.Load() - before; more > 20*count {
		t.Errorf("%d attempts by %d connectors", more, count)
	}
	for i := range 10 {
		n.until("a primary", func() bool {
			return slices.ContainsFunc(n.Target(fmt.Sprint("t", i)), func(ch Channel) bool { return ch.Primary })
		})
		n.echo(fmt.Sprint("t", i), Choice{Primary: true})
	}
}
