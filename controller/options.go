package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// Defaults of Options.
const (
	DefaultIdentifier     = "exchange"
	DefaultHelloTimeout   = 10 * time.Second
	DefaultHealthInterval = 30 * time.Second
	DefaultHealthTimeout  = 5 * time.Second
	DefaultDrainTimeout   = 10 * time.Second
	DefaultLease          = 15 * time.Second
	DefaultMaxChannels    = 65_536
)

// reserved is how many commands of a channel's window are kept for the
// controller's own, so that a busy channel is not taken for a hung one.
const reserved = 4

// Options of a Controller. Engine is required.
type Options struct {
	// Identifier tells several controllers of one process apart; it is part of
	// the management paths unless it is the default.
	Identifier string
	// Engine is what the controllers of a fleet share.
	Engine cluster.Engine
	// Hello has the last word on a connector's target; an error refuses the
	// connector for good, one that wraps exchange.ErrTryAgain for now. nil gives it
	// the target it proposes.
	Hello func(context.Context, Proposal) (target string, err error)
	// Authenticate decides on an upgrade: websocket.ErrUnauthorized (wrapped or
	// not) is answered 401, any other error 500. nil accepts everybody.
	Authenticate func(*http.Request) (Identity, error)
	// Access says who may use which targets and command types. Without rules
	// everybody may use all; with any, what no rule allows is refused.
	Access Access
	// Handlers answers the commands of a connector; called once per channel.
	// nil answers none.
	Handlers func(Channel) *exchange.Mux
	// Observe is told of everything that happens, from several goroutines; it
	// must not block.
	Observe func(Event)

	WebSocket websocket.Options
	Prefix    string // of the path of upgrades, before /exchange/controller

	Window  int           // commands in flight to one channel; default 256
	Refuse  bool          // over the window: fail with exchange.ErrBusy instead of waiting
	Timeout time.Duration // of a command whose context has no deadline; default 60s

	HelloTimeout   time.Duration // until HELLO has come
	HealthInterval time.Duration // between two health checks of a channel
	HealthTimeout  time.Duration // of one health check, PRIMARY or GOOD_BYE
	DrainTimeout   time.Duration // for commands in flight, when a channel is drained
	Lease          time.Duration // after so long without a sign of life a node counts as gone; at least 1s
	MaxChannels    int           // on this node; over it a connector is told to try again

	Batches    BatchOptions
	Rebalance  RebalanceOptions
	Management ManagementOptions
}

// Proposal is a connector that says HELLO.
type Proposal struct {
	Identity Identity
	Hello    exchange.Hello   // as the connector sent it
	Command  exchange.Command // the whole command, for payloads of one's own
}

var identifierPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (o Options) withDefaults() (Options, error) {
	if o.Identifier == "" {
		o.Identifier = DefaultIdentifier
	}
	switch {
	case o.Engine == nil:
		return o, errors.New("cannot make a controller: it needs an engine")
	case !identifierPattern.MatchString(o.Identifier):
		return o, fmt.Errorf("cannot make controller %q: an identifier has letters, digits, - and _ only", o.Identifier)
	case o.Window > 0 && o.Window <= reserved:
		return o, fmt.Errorf("cannot make controller %q: a window of %d is too small, take more than %d", o.Identifier, o.Window, reserved)
	}
	if o.Hello == nil {
		o.Hello = func(_ context.Context, p Proposal) (string, error) { return p.Hello.TargetID, nil }
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	if o.Window <= 0 {
		o.Window = exchange.DefaultWindow
	}
	if o.MaxChannels <= 0 {
		o.MaxChannels = DefaultMaxChannels
	}
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{
		{&o.Timeout, exchange.DefaultTimeout},
		{&o.HelloTimeout, DefaultHelloTimeout},
		{&o.HealthInterval, DefaultHealthInterval},
		{&o.HealthTimeout, DefaultHealthTimeout},
		{&o.DrainTimeout, DefaultDrainTimeout},
		{&o.Lease, DefaultLease},
		{&o.Rebalance.Delay, DefaultRebalanceDelay},
	} {
		if *d.value <= 0 {
			*d.value = d.otherwise
		}
	}
	o.Lease = max(o.Lease, time.Second)
	o.Batches = o.Batches.withDefaults()
	return o, nil
}
