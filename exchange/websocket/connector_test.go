package websocket

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-04209a44/peerd/exchange"
)

// foreign is a controller of another program: it speaks v1 by hand.
type foreign struct {
	t  *testing.T
	ws *websocket.Conn
}

// serveForeign runs script on each connection, in turn.
func serveForeign(t *testing.T, script func(n int, f *foreign)) string {
	t.Helper()
	var mu sync.Mutex
	n := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/prefix"+path || r.Header.Get(ProtocolHeader) != "v1" || r.Header.Get("X-Token") != "abc" {
			t.Errorf("upgrade at %s with %v", r.URL.Path, r.Header)
		}
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		mu.Lock()
		defer mu.Unlock()
		n++
		script(n, &foreign{t, ws})
	}))
	t.Cleanup(web.Close)
	return web.URL + "/prefix/"
}

func (f *foreign) read() string {
	kind, data, err := f.ws.Read(ctx(f.t))
	if err != nil || kind != websocket.MessageBinary {
		f.t.Errorf("foreign controller: read %v, %v", kind, err)
	}
	return string(data)
}

func (f *foreign) write(message string) {
	if err := f.ws.Write(ctx(f.t), websocket.MessageBinary, []byte(message)); err != nil {
		f.t.Errorf("foreign controller: %v", err)
	}
}

var helloPattern = regexp.MustCompile(`^t:COMMAND;;et:HELLO;;e:\{"id":"([^"]+)","type":"HELLO","payload":\{"targetId":"billing","id":"peer-1"\}`)

// welcome takes HELLO and gives the connector its target.
func (f *foreign) welcome() {
	m := helloPattern.FindStringSubmatch(f.read())
	if m == nil {
		f.t.Error("the first message is not HELLO")
		return
	}
	f.write(`t:REPLY;;et:HELLO;;e:{"commandId":"` + m[1] + `","type":"HELLO","commandStatus":"SUCCEEDED","payload":{"targetId":"orders"}}`)
}

// closedWith reads on until the connector closes.
func (f *foreign) closedWith() websocket.StatusCode {
	for {
		if _, _, err := f.ws.Read(ctx(f.t)); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func connector(url string, observe func(exchange.ConnectorEvent)) *exchange.Connector {
	return exchange.NewConnector(exchange.ConnectorOptions{
		Endpoints: []string{url},
		Dial: func(ctx context.Context, endpoint string) (exchange.Channel, error) {
			return Dial(ctx, endpoint, DialOptions{Header: http.Header{"X-Token": {"abc"}}})
		},
		Hello:      exchange.Hello{TargetID: "billing", ID: "peer-1"},
		Channel:    exchange.Options{Handlers: testMux()},
		Observe:    observe,
		MinBackoff: time.Millisecond,
	})
}

// TestConnectorWithAForeignController goes through a connection's life as the
// other program's frames have it.
func TestConnectorWithAForeignController(t *testing.T) {
	exact := func(f *foreign, send, want string) {
		f.write(send)
		if got := f.read(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	url := serveForeign(t, func(n int, f *foreign) {
		f.welcome()
		switch n {
		case 1:
			exact(f, `t:COMMAND;;et:HEALTH_CHECK;;e:{"id":"h","type":"HEALTH_CHECK","payload":{}}`,
				`t:REPLY;;et:HEALTH_CHECK;;e:{"commandId":"h","type":"HEALTH_CHECK","commandStatus":"SUCCEEDED","payload":{"healthy":true}}`)
			exact(f, `t:COMMAND;;et:PRIMARY;;e:{"id":"p","type":"PRIMARY","payload":{"primary":true}}`,
				`t:REPLY;;et:PRIMARY;;e:{"commandId":"p","type":"PRIMARY","commandStatus":"SUCCEEDED","payload":{}}`)
			exact(f, `t:COMMAND;;et:ECHO;;e:{"id":"e","type":"ECHO","payload":{"text":"a;;<b>&"}}`,
				`t:REPLY;;et:ECHO;;e:{"commandId":"e","type":"ECHO","commandStatus":"SUCCEEDED","payload":{"text":"a;;<b>&"}}`)
			exact(f, `t:COMMAND;;et:KNOWN;;e:{"id":"k","type":"KNOWN","payload":{}}`,
				`t:REPLY;;et:NO_REPLY;;e:{"commandId":"k","type":"NO_REPLY","commandStatus":"ERROR","errorDetails":"no handler for commands of type KNOWN","payload":{}}`)
			exact(f, `t:COMMAND;;et:FLY;;e:{"id":"f","type":"FLY","payload":{}}`,
				`t:REPLY;;et:UNKNOWN;;e:{"commandId":"f","type":"UNKNOWN","commandStatus":"ERROR","errorDetails":"Command unknown","payload":{}}`)
			f.write(`t:COMMAND;;et:GOOD_BYE;;e:{"id":"g","type":"GOOD_BYE","payload":{"targetId":"orders","reconnect":true}}`)
			if code := f.closedWith(); code != exchange.CloseTryAgain {
				t.Errorf("goodbye with reconnect: closed with %d", code)
			}
		case 2:
			f.ws.Close(websocket.StatusGoingAway, "")
		case 3:
			f.ws.CloseNow()
		case 4:
			f.write(`t:COMMAND;;et:GOOD_BYE;;e:{"id":"g","type":"GOOD_BYE","payload":{"targetId":"orders","reconnect":false}}`)
			if code := f.closedWith(); code != exchange.CloseNormal {
				t.Errorf("goodbye for good: closed with %d", code)
			}
		}
	})
	var mu sync.Mutex
	connected := 0
	c := connector(url, func(ev exchange.ConnectorEvent) {
		mu.Lock()
		defer mu.Unlock()
		if ev.Kind == exchange.Connected {
			connected++
			if ev.Target != "orders" {
				t.Errorf("target %q", ev.Target)
			}
		}
	})
	if err := c.Run(ctx(t)); err != nil || connected != 4 {
		t.Errorf("Run = %v after %d connections, want 4", err, connected)
	}
}

func TestConnectorRefusedByAForeignController(t *testing.T) {
	url := serveForeign(t, func(_ int, f *foreign) {
		m := helloPattern.FindStringSubmatch(f.read())
		f.write(`t:REPLY;;et:HELLO;;e:{"commandId":"` + m[1] + `","type":"HELLO","commandStatus":"ERROR","errorDetails":"refused","payload":{}}`)
		f.closedWith()
	})
	var refused *exchange.RefusedError
	if err := connector(url, nil).Run(ctx(t)); !errors.As(err, &refused) || refused.Details != "refused" {
		t.Errorf("Run = %v", err)
	}
}

// TestConnectorOutlivesItsController restarts the controller on its address.
func TestConnectorOutlivesItsController(t *testing.T) {
	welcome := ServerOptions{Prefix: "/prefix", Accept: func(ctx context.Context, ch *Conn) {
		_, err := exchange.Welcome(ctx, ch, func(_ context.Context, req *exchange.Request) (any, error) {
			return req.Payload, nil
		})
		if err == nil {
			answer(testMux())(ctx, ch)
		}
	}}
	connections := make(chan struct{}, 10)
	var address string
	start := func() (stop func()) {
		if address == "" {
			address = "127.0.0.1:0"
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		address = l.Addr().String()
		server := NewServer(welcome)
		web := &http.Server{Handler: server}
		var wg sync.WaitGroup
		wg.Go(func() { _ = web.Serve(l) })
		return func() {
			web.Close()
			server.Close()
			wg.Wait()
		}
	}
	stop := start()
	c := connector("http://"+address+"/prefix", func(ev exchange.ConnectorEvent) {
		if ev.Kind == exchange.Connected {
			connections <- struct{}{}
		}
	})
	running, cancel := context.WithCancel(ctx(t))
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running) }()
	<-connections
	for range 2 {
		stop()
		stop = start()
		<-connections
		if r, err := c.Call(ctx(t), command(t, "ECHO", 1)); err != nil || string(r.Payload) != "1" {
			t.Errorf("a call after the restart: %+v, %v", r, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	stop()
}
