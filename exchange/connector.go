package exchange

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Defaults of ConnectorOptions.
const (
	DefaultHelloTimeout = 60 * time.Second
	DefaultMinBackoff   = time.Second
	DefaultMaxBackoff   = time.Minute
)

// backoffFactor is by how much the pause grows with each failed attempt.
const backoffFactor = 1.5

// ConnectorOptions of a Connector. Endpoints and Dial are required.
type ConnectorOptions struct {
	// Endpoints are tried in turn; after a success it begins with the first again.
	Endpoints []string
	// Dial connects to one of them. ctx ends after HelloTimeout.
	Dial func(ctx context.Context, endpoint string) (Channel, error)
	// Hello is what the connector says of itself. The controller may choose
	// another target.
	Hello Hello
	// Channel is used for the endpoint of each connection. Its handlers get
	// those of HEALTH_CHECK, PRIMARY and GOOD_BYE beside them, unless they have
	// their own.
	Channel Options
	// Health answers HEALTH_CHECK; nil is always healthy.
	Health func(context.Context) Health
	// Primary is told whether this connector is its target's primary, one call
	// at a time; may be nil. A term lower than one seen before never gets here.
	Primary func(context.Context, Primary) error
	// Observe is told of what happens to the connection; must not block.
	Observe func(ConnectorEvent)
	// AutoReconnect reconnects even when the controller closed for good.
	AutoReconnect bool
	// HelloTimeout bounds dialling and, again, the wait for the answer to HELLO.
	HelloTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pause before the next attempt.
	MinBackoff, MaxBackoff time.Duration
}

// ConnectorEventKind names what happened to a connection.
type ConnectorEventKind uint8

// What can happen to a connection.
const (
	Connected     ConnectorEventKind = iota // HELLO was answered
	Disconnected                            // after Connected
	ConnectFailed                           // an attempt came to nothing
)

// ConnectorEvent tells the edge what happened.
type ConnectorEvent struct {
	Kind     ConnectorEventKind
	Endpoint string
	Target   string        // with Connected and Disconnected
	Err      error         // why; nil after an orderly end
	Retry    time.Duration // until the next attempt; negative: there is none
}

// RefusedError is a HELLO that the controller answered with an ERROR: it does
// not want this connector, and trying again would not change that.
type RefusedError struct {
	Endpoint string
	Details  string
}

// Error names the endpoint and the controller's reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the controller at %s refuses this connector: %s", e.Endpoint, e.Details)
}

// Connector keeps one channel to a controller, and opens it again when it ends.
// Its methods may be called from any goroutine.
type Connector struct {
	o       ConnectorOptions
	running sync.WaitGroup // endpoints; one whose handler hangs does not hold up the next

	mu      sync.Mutex // guards all below
	current *Endpoint  // nil while not connected
	target  string
	term    uint64 // the highest term seen
	office  uint64 // the term in which it is primary; 0: it is not
}

// NewConnector returns a connector; Run does the work.
func NewConnector(o ConnectorOptions) *Connector {
	if o.HelloTimeout <= 0 {
		o.HelloTimeout = DefaultHelloTimeout
	}
	if o.MinBackoff <= 0 {
		o.MinBackoff = DefaultMinBackoff
	}
	if o.MaxBackoff < o.MinBackoff {
		o.MaxBackoff = max(DefaultMaxBackoff, o.MinBackoff)
	}
	if o.Observe == nil {
		o.Observe = func(ConnectorEvent) {}
	}
	if o.Health == nil {
		o.Health = func(context.Context) Health { return Health{Healthy: true} }
	}
	return &Connector{o: o}
}

// Run connects, and reconnects, until ctx ends (nil), the controller ends it for
// good (nil), or refuses this connector (*RefusedError). Everything else is
// tried again, after a pause that grows and varies, so that many connectors do
// not come back at the same moment. Before it returns, Run waits for handlers.
func (c *Connector) Run(ctx context.Context) error {
	if len(c.o.Endpoints) == 0 || c.o.Dial == nil {
		return errors.New("cannot connect: a connector needs at least one endpoint and a way to dial it")
	}
	defer c.running.Wait()
	failures, next := 0, 0
	for {
		s := &session{c: c, endpoint: c.o.Endpoints[next]}
		err := s.run(ctx)
		var refused *RefusedError
		stop := ctx.Err() != nil || errors.As(err, &refused) || s.connected && s.forGood(err)
		failures, next = failures+1, (next+1)%len(c.o.Endpoints)
		if s.connected {
			failures, next = 0, 0
		}
		pause := c.pause(failures)
		if stop {
			pause = -1
		}
		c.report(s, err, pause)
		switch {
		case ctx.Err() != nil:
			return nil
		case stop && refused != nil:
			return refused
		case stop:
			return nil
		}
		sleep(ctx, pause)
	}
}

// pause is the time until the next attempt: somewhere in the upper half of a
// span that grows with each failure. After a connection that had succeeded it
// is anywhere within the first span, so that those who lost their controller at
// one moment do not return at one moment.
func (c *Connector) pause(failures int) time.Duration {
	if failures == 0 {
		return rand.N(c.o.MinBackoff)
	}
	span := min(float64(c.o.MinBackoff)*math.Pow(backoffFactor, float64(failures-1)), float64(c.o.MaxBackoff))
	return time.Duration(span * (1 + rand.Float64()) / 2)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c *Connector) report(s *session, err error, pause time.Duration) {
	ev := ConnectorEvent{Kind: ConnectFailed, Endpoint: s.endpoint, Err: err, Retry: pause}
	if s.connected {
		ev.Kind, ev.Target = Disconnected, s.target
	}
	c.o.Observe(ev)
}

// Call is Endpoint.Call on the channel there is; without one it fails with ErrClosed.
// What a primary sends bears its term, unless cmd has one already: that of when it
// was decided on. Controllers refuse a term that is over.
func (c *Connector) Call(ctx context.Context, cmd Command) (Reply, error) {
	e, err := c.endpoint(&cmd)
	if err != nil {
		return Reply{}, err
	}
	return e.Call(ctx, cmd)
}

// Stream is Call with the intermediate replies, as Endpoint.Stream is.
func (c *Connector) Stream(ctx context.Context, cmd Command, each func(Reply) error) (Reply, error) {
	e, err := c.endpoint(&cmd)
	if err != nil {
		return Reply{}, err
	}
	return e.Stream(ctx, cmd, each)
}

func (c *Connector) endpoint(cmd *Command) (*Endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return nil, fmt.Errorf("command %s: not connected to a controller: %w", cmd.Type, ErrClosed)
	}
	if cmd.Term == 0 {
		cmd.Term = c.office
	}
	return c.current, nil
}

// Target returns the target that the controller has given this connector, and
// whether there is a connection.
func (c *Connector) Target() (target string, connected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.target, c.current != nil
}

func (c *Connector) set(e *Endpoint, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.target, c.office = e, target, 0 // PRIMARY tells anew
}

// admit takes in who is primary, and refuses a term that is over.
func (c *Connector) admit(p Primary) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.Term != 0 && p.Term < c.term {
		return fmt.Errorf("term %d is over: term %d has begun", p.Term, c.term)
	}
	c.term = max(c.term, p.Term)
	c.office = 0
	if p.Primary {
		c.office = p.Term
	}
	return nil
}
