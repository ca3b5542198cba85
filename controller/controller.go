package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// ErrNotRunning is the answer of a controller that is not, or not any more.
var ErrNotRunning = errors.New("the controller is not running")

// Controller is one node of a fleet's controllers. Its methods may be called
// from any goroutine, once Run has begun.
type Controller struct {
	o          Options
	node       string
	registry   *registry
	health     *health
	announcer  *announcer
	store      store
	batches    *Batches
	partitions *partitions
	around     *around // the engine
	hub        hub
	tally      tally
	web        *websocket.Server
	tellers    sync.WaitGroup // those that send PRIMARY
	timers     sync.WaitGroup
	running    chan struct{} // closed when connectors are taken in
	joined     chan struct{} // another controller has joined
	moved      chan struct{} // another controller has come or gone
	lapsed     chan struct{} // this node's lease, or a channel, was seen to be gone
	leased     atomic.Bool   // this node's lease is held, as far as is known
	takesIn    atomic.Int64  // connectors, from this time on, in ns
	missing    atomic.Bool   // a channel of this node was taken out by another
	settled    atomic.Bool   // connectors have had the time to come back after a start
	late       atomic.Bool   // former primaries have had theirs

	mu       sync.Mutex // guards all below
	state    state
	embedded sync.WaitGroup  // channels of this process
	within   context.Context // of them
	endAll   context.CancelFunc
}

type state uint8

const (
	fresh state = iota
	starting
	open
	over
)

// New returns a controller; Run does the work.
func New(o Options) (*Controller, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Controller{
		o: o, node: o.Engine.Node(), registry: newRegistry(o.Engine.Node()), health: newHealth(),
		running: make(chan struct{}), joined: make(chan struct{}, 1), moved: make(chan struct{}, 1), lapsed: make(chan struct{}, 1),
	}
	c.around = &around{Engine: o.Engine, c: c}
	c.o.Engine = c.around
	c.batches, c.partitions, c.announcer = newBatches(c), &partitions{c: c}, newAnnouncer(c)
	c.web = websocket.NewServer(websocket.ServerOptions{
		Options: o.WebSocket, Prefix: o.Prefix, Authenticate: c.authenticate, Refused: c.refused,
		Accept: func(ctx context.Context, ch *websocket.Conn) {
			who, _ := ch.Identity.(Identity)
			c.serve(ctx, ch, who)
		},
	})
	return c, nil
}

// Run takes in connectors until ctx ends, then says goodbye to those that are
// there, and returns when all has ended. It fails when the engine does. It must
// be called once.
func (c *Controller) Run(ctx context.Context) error {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := c.begin(); err != nil {
		return err
	}
	defer c.hub.end()
	var err error
	if c.store, err = openStore(ctx, c.o); err != nil {
		c.stop()
		return err
	}
	me := []byte(uuid.NewString())
	lease, err := c.beginLease(ctx, me)
	if err != nil {
		c.stop()
		return err
	}
	g, inner := errgroup.WithContext(life)
	leasing, leave := context.WithCancel(inner)
	defer leave()
	left := make(chan struct{})
	g.Go(func() error {
		defer close(left)
		return c.live(leasing, me, lease)
	})
	ready := c.follow(inner, g)
	select {
	case <-ready:
		c.work(inner, g)
		working, done := context.WithCancel(inner)
		g.Go(func() error { return c.batches.run(working) })
		select {
		case <-ctx.Done():
		case <-inner.Done():
		}
		done() // no batch goes on while the channels are drained
		<-c.batches.stopped
	case <-ctx.Done():
	case <-inner.Done():
	}
	c.stop()
	c.leave(inner, leave, left)
	cancel()
	err = g.Wait()
	c.tellers.Wait()
	c.timers.Wait()
	return err
}

// begin makes sure that Run is called once.
func (c *Controller) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != fresh {
		return fmt.Errorf("cannot run controller %q: it has been run already", c.o.Identifier)
	}
	c.state = starting
	c.within, c.endAll = context.WithCancel(context.Background())
	return nil
}

// follow begins to follow the other nodes; the channel it returns is closed when
// the view of them is complete.
func (c *Controller) follow(ctx context.Context, g *errgroup.Group) <-chan struct{} {
	watches := []func(context.Context, func()) error{c.watchNodes, c.watchChannels, c.watchPrimaries, c.batches.watch}
	g.Go(func() error { return c.announcer.run(ctx) })
	ready := make(chan struct{})
	var left atomic.Int32
	left.Store(int32(len(watches)))
	for _, watch := range watches {
		g.Go(func() error {
			return watch(ctx, func() {
				if left.Add(-1) == 0 {
					close(ready)
				}
			})
		})
	}
	return ready
}

// work begins everything that decides, and opens the door.
func (c *Controller) work(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error { return c.o.Engine.Serve(ctx, c.subject(c.node), c.land) })
	g.Go(func() error { return c.o.Engine.Serve(ctx, c.relay(c.node), c.around.pass) })
	g.Go(func() error { return c.servePresence(ctx) })
	g.Go(func() error { return c.watchPresence(ctx) })
	g.Go(func() error { return c.checkHealth(ctx) })
	g.Go(func() error { return c.elect(ctx) })
	g.Go(func() error { return c.rebalance(ctx) })
	c.later(ctx, c.o.Lease, c.settleInherited)
	c.later(ctx, formerGrace, c.endGrace)
	c.mu.Lock()
	c.state = open
	c.mu.Unlock()
	close(c.running)
}

// stop closes the door and says goodbye to every channel.
func (c *Controller) stop() {
	c.mu.Lock()
	c.state = over
	c.mu.Unlock()
	var wg sync.WaitGroup
	for _, l := range c.registry.links() {
		wg.Go(func() { c.end(l, true, c.o.DrainTimeout) })
	}
	wg.Wait()
	c.web.Close()
	c.endAll()
	c.embedded.Wait()
}

// Running is closed when connectors are taken in.
func (c *Controller) Running() <-chan struct{} { return c.running }

// Handler takes in connectors at <prefix>/exchange/controller. While the
// controller is not running it answers 410.
func (c *Controller) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.isOpen() {
			http.Error(w, ErrNotRunning.Error(), http.StatusGone)
			return
		}
		c.web.ServeHTTP(w, r)
	})
}

func (c *Controller) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == open
}

// isOver tells whether it stops, or has.
func (c *Controller) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == over
}

func (c *Controller) authenticate(r *http.Request) (any, error) {
	if c.o.Authenticate == nil {
		return Identity{}, nil
	}
	return c.o.Authenticate(r)
}

func (c *Controller) refused(r *http.Request, status int, err error) {
	c.event(Event{Kind: ConnectorRefused, Detail: fmt.Sprintf("%s: %d: %v", r.RemoteAddr, status, err)})
}

// Embedded opens a channel to a connector in this process, without
// serialization, and returns the connector's side. It is what Dial of an
// exchange.Connector returns; the connector says HELLO on it as on any other.
func (c *Controller) Embedded(who Identity) (exchange.Channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return nil, ErrNotRunning
	}
	ours, theirs := exchange.Pipe()
	c.embedded.Go(func() {
		defer ours.Close()
		c.serve(c.within, ours, who)
	})
	return theirs, nil
}

// Kick ends a channel of this node after its commands have ended, or
// DrainTimeout; with reconnect its connector comes back. It returns when the
// channel has ended.
func (c *Controller) Kick(channel string, reconnect bool) error {
	_, l, found := c.registry.find(channel)
	switch {
	case !found:
		return fmt.Errorf("cannot end channel %q: %w", channel, ErrNoChannel)
	case l == nil:
		return fmt.Errorf("cannot end channel %q: it is another node's", channel)
	}
	c.end(l, reconnect, c.o.DrainTimeout)
	return nil
}

// Channels returns all channels of the fleet, by target and ID.
func (c *Controller) Channels() []Channel {
	return c.registry.list(func(Channel) bool { return true })
}

// Target returns the channels of one target; there are none if it is not there.
func (c *Controller) Target(id string) []Channel {
	return c.registry.list(func(ch Channel) bool { return ch.Target == id })
}

// Batches returns the batches of this controller.
func (c *Controller) Batches() *Batches { return c.batches }

// later calls f after a while, unless ctx ends before.
func (c *Controller) later(ctx context.Context, d time.Duration, f func()) {
	c.timers.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			f()
		case <-ctx.Done():
		}
	})
}
