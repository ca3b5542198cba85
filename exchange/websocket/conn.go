package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-04209a44/peerd/exchange"
)

// Protocol is the value of the protocol header.
type Protocol string

// The protocols. A controller takes a missing or unknown value as Legacy.
const (
	V1     Protocol = "v1"
	Legacy Protocol = "legacy"
)

// ProtocolHeader names the protocol in an upgrade request.
const ProtocolHeader = "X-Gravitee-Exchange-Protocol"

// Defaults of Options.
const (
	DefaultMaxMessage   = 13_107_200
	DefaultMaxFrame     = 65_536
	DefaultPingInterval = 5 * time.Second
	DefaultPongTimeout  = 10 * time.Second
)

// closeGrace bounds how long Close waits for the other side's close frame.
const closeGrace = time.Second

// Options of a connection; the zero value is usable.
type Options struct {
	MaxMessage   int           // bytes of one message, both ways; default 13 107 200
	MaxFrame     int           // bytes of one WebSocket frame sent; larger messages are fragmented; default 65 536
	PingInterval time.Duration // default 5s; negative: no pings
	PongTimeout  time.Duration // without a pong for so long the channel ends; default 10s
}

func (o Options) withDefaults() Options {
	if o.MaxMessage <= 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	if o.PingInterval == 0 {
		o.PingInterval = DefaultPingInterval
	}
	if o.PongTimeout <= 0 {
		o.PongTimeout = DefaultPongTimeout
	}
	return o
}

// Conn is an exchange.Channel over one WebSocket.
type Conn struct {
	// Request is the upgrade request, on a controller's side.
	Request *http.Request
	// Identity is what ServerOptions.Authenticate returned.
	Identity any
	// Protocol is the one in use.
	Protocol Protocol

	ws     *websocket.Conn
	codec  codec
	o      Options
	life   context.Context // ends when the connection is cut
	cut    context.CancelFunc
	once   sync.Once
	closed chan struct{}  // closing has begun, by this side
	skew   time.Duration  // from the other side's clock to this one's
	plain  bool           // the other side knows nothing that is added to the protocol
	legacy *legacyLink    // nil in v1
	own    sync.WaitGroup // the pinger and the legacy pump

	mu    sync.Mutex
	cause error     // why this side cut the connection
	heard time.Time // when the last ping was sent that was answered
}

// newConn takes over ws; header is what the other side sent with the upgrade.
func newConn(ws *websocket.Conn, p Protocol, header http.Header, o Options) *Conn {
	o = o.withDefaults()
	ws.SetReadLimit(int64(o.MaxMessage))
	life, cut := context.WithCancel(context.Background())
	c := &Conn{
		Protocol: p, ws: ws, codec: v1{}, o: o, skew: skewOf(header), plain: header.Get(clockHeader) == "",
		life: life, cut: cut, closed: make(chan struct{}), heard: time.Now(),
	}
	if p == Legacy {
		c.codec, c.legacy = legacy{}, newLegacyLink()
		c.own.Go(func() { c.legacy.pump(c) })
	}
	if o.PingInterval > 0 {
		c.own.Go(c.ping)
	}
	return c
}

// Send implements exchange.Channel. A frame that the protocol, or the other side,
// has no message for is taken and not sent.
func (c *Conn) Send(f exchange.Frame) error {
	if c.legacy != nil {
		return c.legacy.send(c, f)
	}
	return c.send(f)
}

func (c *Conn) send(f exchange.Frame) error {
	if c.plain && isAddition(f) {
		return nil
	}
	data, err := c.codec.encode(f)
	if err != nil || data == nil {
		return err
	}
	if len(data) > c.o.MaxMessage {
		return fmt.Errorf("%w: %d bytes, at most %d", exchange.ErrTooLarge, len(data), c.o.MaxMessage)
	}
	select {
	case <-c.closed:
		return exchange.ErrClosed
	default:
	}
	if err := c.write(data); err != nil {
		return fmt.Errorf("websocket: %w", c.why(err))
	}
	return nil
}

// isAddition tells whether a frame is one that the protocol did not have at first:
// a program that does not know better takes an intermediate reply for the last,
// and CANCEL for a command to be answered.
func isAddition(f exchange.Frame) bool {
	return f.Command != nil && f.Command.Type == exchange.TypeCancel || f.Reply != nil && !f.Reply.Status.Terminal()
}

// write sends one message, in frames that the other side is sure to take.
func (c *Conn) write(data []byte) error {
	if len(data) <= c.o.MaxFrame {
		return c.ws.Write(c.life, websocket.MessageBinary, data)
	}
	w, err := c.ws.Writer(c.life, websocket.MessageBinary)
	if err != nil {
		return err
	}
	for len(data) > 0 {
		n := min(len(data), c.o.MaxFrame)
		if _, err := w.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return w.Close()
}

// Recv implements exchange.Channel. A message that breaks the protocol closes
// the channel with the code for it.
func (c *Conn) Recv() (exchange.Frame, error) {
	if c.legacy != nil {
		return c.legacy.recv(c)
	}
	return c.recv()
}

func (c *Conn) recv() (exchange.Frame, error) {
	for {
		kind, data, err := c.ws.Read(c.life)
		if err != nil {
			return exchange.Frame{}, c.ended(err)
		}
		if kind == websocket.MessageText {
			return exchange.Frame{}, c.violated(&violation{exchange.CloseUnsupported, "a text message; only binary ones are spoken here"})
		}
		if len(data) == 0 {
			continue
		}
		f, err := c.codec.decode(data)
		var v *violation
		if errors.As(err, &v) {
			return exchange.Frame{}, c.violated(v)
		}
		if f.Command != nil && f.Command.ExpiresAt != nil {
			*f.Command.ExpiresAt = f.Command.ExpiresAt.Add(c.skew)
		}
		return f, err
	}
}

func (c *Conn) violated(v *violation) error {
	c.shut(v.code, v.text)
	return fmt.Errorf("websocket: the other side broke the protocol: %w", v)
}

// ended turns the error of a read into what Recv promises.
func (c *Conn) ended(err error) error {
	select {
	case <-c.closed:
		return exchange.ErrClosed
	default:
	}
	c.cut()
	var ce websocket.CloseError
	if errors.As(err, &ce) {
		return &exchange.CloseError{Code: int(ce.Code), Reason: ce.Reason}
	}
	return fmt.Errorf("websocket: connection lost: %v", c.why(err)) // an io.EOF in it is not an orderly end
}

// why prefers the reason why this side cut the connection to its consequence.
func (c *Conn) why(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return err
}

// Close implements exchange.Channel, with the code CloseNormal.
func (c *Conn) Close() error { return c.CloseWith(exchange.CloseNormal, "") }

// CloseWith ends the channel with a code; only the first close counts. It waits
// for the other side to agree, for at most a second.
func (c *Conn) CloseWith(code int, reason string) error {
	c.shut(code, reason)
	c.own.Wait()
	return nil
}

// shut is CloseWith for the goroutines that CloseWith waits for.
func (c *Conn) shut(code int, reason string) {
	c.once.Do(func() {
		close(c.closed)
		watchdog := time.AfterFunc(closeGrace, c.cut)
		_ = c.ws.Close(websocket.StatusCode(code), clip(reason)) // told by Recv
		watchdog.Stop()
		c.cut()
	})
}

// clip keeps a reason within the 123 bytes a close frame has for it.
func clip(reason string) string {
	const limit = 123
	if len(reason) <= limit {
		return reason
	}
	for n := limit; ; n-- {
		if reason[n]&0xC0 != 0x80 { // not inside a character
			return reason[:n]
		}
	}
}

// Heard is a time at which the other side was there for certain, by this side's
// clock: the last time that something was sent to it which it has answered.
func (c *Conn) Heard() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

// ping cuts the connection when a pong stays away.
func (c *Conn) ping() {
	tick := time.NewTicker(c.o.PingInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case <-tick.C:
		}
		sent := time.Now()
		ctx, cancel := context.WithTimeout(c.life, c.o.PongTimeout)
		err := c.ws.Ping(ctx)
		cancel()
		c.mu.Lock()
		if err == nil {
			c.heard = sent
			c.mu.Unlock()
			continue
		}
		if c.life.Err() == nil {
			c.cause = fmt.Errorf("no pong within %v", c.o.PongTimeout)
		}
		c.mu.Unlock()
		c.cut()
		return
	}
}
