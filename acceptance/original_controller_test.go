//go:build linux

package acceptance_test

import (
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// originalController is a controller as the original is one, for one connector at
// a time.
type originalController struct {
	t        *testing.T
	listener net.Listener
	arrived  chan *original // each after its HELLO was answered
	refuse   bool
}

func startOriginalController(t *testing.T, address string, refuse bool) *originalController {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := &originalController{t: t, listener: l, arrived: make(chan *original, 16), refuse: refuse}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.welcome(conn)
		}
	}()
	return c
}

// welcome takes the first message, which must be HELLO.
func (c *originalController) welcome(conn net.Conn) {
	s, r, err := rawAccept(conn)
	if err != nil {
		conn.Close()
		return
	}
	if r.URL.Path != "/exchange/controller" || r.Header.Get("X-Gravitee-Exchange-Protocol") != "v1" || r.ProtoMajor != 1 ||
		r.Header.Get("Sec-Websocket-Extensions") != "" {
		c.t.Errorf("the upgrade: %s %s %v", r.Proto, r.URL, r.Header)
	}
	message, err := s.read()
	hello := regexp.MustCompile(`^t:COMMAND;;et:HELLO;;e:\{"id":"([^"]+)","type":"HELLO","payload":\{"targetId":"([^"]+)"(,"id":"[^"]+")?\}\}$`)
	m := hello.FindSubmatch(message)
	if err != nil || m == nil {
		c.t.Errorf("the first message is %s, %v", message, err)
		conn.Close()
		return
	}
	o := newOriginal(c.t, s)
	answer := envelope{CommandID: string(m[1]), Type: "HELLO", CommandStatus: "SUCCEEDED", Payload: json.RawMessage(`{"targetId":"given"}`)}
	if c.refuse {
		answer.CommandStatus, answer.ErrorDetails, answer.Payload = "ERROR", "refused", nil
	}
	if err := o.write("REPLY", answer); err != nil {
		conn.Close()
		return
	}
	go o.run()
	go o.ping()
	c.arrived <- o
}

// ping as the original does, every few seconds, caring for no pong.
func (o *original) ping() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for o.socket.frame(opPing, true, nil) == nil {
		select {
		case <-tick.C:
		case <-o.ended:
			return
		}
	}
}

func (c *originalController) next() *original {
	c.t.Helper()
	select {
	case o := <-c.arrived:
		return o
	case <-time.After(patience):
		c.t.Fatal("the connector does not come")
		return nil
	}
}

// Issue 5: our peer joins a controller written against the original.
func TestOriginalController(t *testing.T) {
	t.Parallel()
	c := startOriginalController(t, "127.0.0.1:0", false)
	address := c.listener.Addr().String()
	dead := freeAddress(t)
	p := start(t, fmt.Sprintf("connector: {targetId: proposed, endpoints: [\"ws://%s\", \"ws://%s/\"]}\ncomponents:%s\n", dead, address, ticker))
	p.running("ticker")
	o := c.next()
	for typ, tt := range map[string]struct{ payload, want string }{
		"PRIMARY":      {`{"primary":true}`, `PRIMARY SUCCEEDED {}`},
		"HEALTH_CHECK": {`{}`, `HEALTH_CHECK SUCCEEDED {"healthy":true`},
		"FLY":          {`{}`, `UNKNOWN ERROR {}`},
		"PS":           {`{"unknown":";;"}`, `PS SUCCEEDED [{"name":"ticker"`},
		"RESTART":      {`{"names":["ticker"]}`, `RESTART SUCCEEDED [{"name":"ticker"`}, // has steps, of which an original must hear nothing
	} {
		r := o.call(typ, tt.payload)
		if got := r.Type + " " + r.CommandStatus + " " + string(r.Payload); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %.300s; want %s", typ, got, tt.want)
		}
	}
	name := strings.Repeat("abc;;éfg<&>", 1_000_000)
	r := o.call("SEND", `{"name":"ticker","type":"GREET","payload":{"name":"`+name+`"}}`)
	if !strings.Contains(string(r.Payload), name) {
		t.Errorf("12 MB: %s %s, %d bytes", r.CommandStatus, r.ErrorDetails, len(r.Payload))
	}
	if s := p.status().Connector; s.State != "connected" {
		t.Errorf("status: %+v", s)
	}
	o.goodBye(true)
	o.endsWith(1013)
	o = c.next() // and comes back
	o.socket.conn.Close()
	o = c.next() // after a loss, too
	c.listener.Close()
	o.socket.conn.Close()
	again := startOriginalController(t, address, false) // a controller that was restarted
	o = again.next()
	o.goodBye(false)
	o.endsWith(1000)
	p.waitFor("it has been sent away for good", func() bool { return strings.Contains(strings.Join(p.status().Degraded, " "), "for good") })
	p.running("ticker")
}

// goodBye sends the connector away; an answer is welcome, and not waited for.
func (o *original) goodBye(reconnect bool) {
	o.t.Helper()
	o.mu.Lock()
	o.waiting["goodbye"] = make(chan envelope, 1)
	o.mu.Unlock()
	payload := fmt.Sprintf(`{"targetId":"given","reconnect":%v}`, reconnect)
	if err := o.write("COMMAND", envelope{ID: "goodbye", Type: "GOOD_BYE", Payload: json.RawMessage(payload)}); err != nil {
		o.t.Error(err)
	}
}

// Issue 5: a HELLO that is refused is final, and harms nothing.
func TestOriginalControllerRefuses(t *testing.T) {
	t.Parallel()
	c := startOriginalController(t, "127.0.0.1:0", true)
	p := start(t, fmt.Sprintf("connector: {targetId: proposed, endpoints: [\"ws://%s\"]}\ncomponents:%s\n", c.listener.Addr(), ticker))
	c.next()
	p.waitFor("the refusal is shown", func() bool { return strings.Contains(strings.Join(p.status().Degraded, " "), "refused") })
	p.running("ticker")
	if len(c.arrived) > 0 {
		t.Error("it came again")
	}
}
