package handshake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream"
)

// patience bounds how long go-plugin may take to let go of what it holds.
const patience = 2 * time.Second

// Conn is an open connection to a component. It is the exchange channel on
// which the protocol is spoken.
type Conn struct {
	exchange.Channel
	greeting greeting
	client   *plugin.Client
	runner   *runner

	recv     sync.Mutex // held during Recv
	ended    bool       // Recv has failed; under recv
	once     sync.Once
	released chan struct{}
	err      error // of the release; read after released
}

// Address is the component's socket; with Version it is all that Attach needs.
func (c *Conn) Address() string { return c.greeting.address }

// Version is the transport version in use.
func (c *Conn) Version() int { return c.greeting.version }

// Recv implements exchange.Channel.
func (c *Conn) Recv() (exchange.Frame, error) {
	c.recv.Lock()
	defer c.recv.Unlock()
	f, err := c.Channel.Recv()
	if err != nil {
		c.ended = true
	}
	return f, err
}

// Close ends the channel; the component goes on running. It does not block:
// what was sent before still arrives, and Wait tells when all is freed.
func (c *Conn) Close() error {
	err := c.Channel.Close()
	c.once.Do(func() {
		go func() {
			defer close(c.released)
			c.drain()
			c.err = letGo(c.client, c.runner)
		}()
	})
	return err
}

// Wait blocks until everything that belonged to a closed connection is freed,
// which takes seconds only where something is stuck: then the error says what
// was left behind.
func (c *Conn) Wait() error {
	<-c.released
	return c.err
}

// drain waits for the stream to end, so that what was sent before Close is not
// cut off with the connection. The channel bounds it.
func (c *Conn) drain() {
	c.recv.Lock()
	defer c.recv.Unlock()
	for !c.ended {
		_, err := c.Channel.Recv()
		c.ended = err != nil
	}
}

// open connects to the component that greeted with g.
func (h *Host) open(ctx context.Context, p Process, g greeting) (*Conn, error) {
	if err := checkAddress(h.Dir, g.address); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.timeout(), fmt.Errorf("the component has not taken the connection within %v", h.timeout()))
	defer cancel()
	ctx, release := whileAlive(ctx, p, 0)
	defer release()
	socket, err := dial(ctx, g.address, p.Belongs)
	if err != nil {
		return nil, whyEnded(ctx, err)
	}
	r := newRunner(p, g)
	client := plugin.NewClient(h.clientConfig(r, oneConnection(socket)))
	cc, err := dispense(client)
	if err != nil {
		return nil, errors.Join(err, letGo(client, r), ignoreClosed(socket.Close()))
	}
	ch, err := stream.Open(ctx, cc, stream.Options{})
	if err != nil {
		return nil, errors.Join(whyEnded(ctx, err), letGo(client, r), ignoreClosed(socket.Close()))
	}
	return &Conn{Channel: ch, greeting: g, client: client, runner: r, released: make(chan struct{})}, nil
}

// dispense starts go-plugin's client and takes the gRPC connection out of it.
// A panic in go-plugin is an error here: no component may end its peer.
func dispense(client *plugin.Client) (cc *grpc.ClientConn, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot connect to the component: go-plugin panicked: %v", r)
		}
	}()
	if _, err := client.Start(); err != nil {
		return nil, fmt.Errorf("cannot connect to the component: %w", err)
	}
	protocol, err := client.Client()
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the component: %w", err)
	}
	raw, err := protocol.Dispense(pluginName)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the component: %w", err)
	}
	return raw.(*grpc.ClientConn), nil
}

// letGo makes go-plugin release its goroutines and descriptors. Its Kill is
// never the stop policy: the runner's Kill does nothing and the Shutdown call
// is refused on this side, so the process never notices.
func letGo(client *plugin.Client, r *runner) error {
	r.close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.Kill()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("go-plugin has not released the connection within %v", patience)
	}
}

// oneConnection is a gRPC dialer that hands out one connection once: the one
// whose owner was checked. There is no second: a lost connection is a lost
// channel, which the peer notices and judges.
func oneConnection(socket net.Conn) func(context.Context, string) (net.Conn, error) {
	var mu sync.Mutex
	return func(context.Context, string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if socket == nil {
			return nil, errors.New("the connection to the component is lost")
		}
		s := socket
		socket = nil
		return s, nil
	}
}

// whyEnded prefers the reason why ctx ended to the error that this caused.
func whyEnded(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); errors.Is(cause, ErrEnded) {
		return fmt.Errorf("%w while it was being connected to", ErrEnded)
	}
	return context.Cause(ctx)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
