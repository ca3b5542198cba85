package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// errNotSent is an exchange.ErrClosed of a command that the other side has not
// seen: it may be sent on another channel.
var errNotSent = fmt.Errorf("before it was sent: %w", exchange.ErrClosed)

// link is a channel of this node.
type link struct {
	id, target, connector string
	identity              Identity
	e                     *exchange.Endpoint
	slots                 chan struct{} // one per command in flight that is not the controller's own
	checking              atomic.Bool   // a health check is under way
	over                  atomic.Bool   // it is being ended
	leaving               chan struct{} // closed when it is, while commands may be in flight
	announced             atomic.Bool   // the other nodes can know of it
	withdrawn             atomic.Bool   // the other nodes are told that it is over
	seen                  atomic.Bool   // it is in the store, as far as this node has seen
	unseen                int           // renewals of the lease since it should be; the lease's keeper has it

	mu      sync.Mutex // guards all below
	wanted  exchange.Primary
	told    exchange.Primary
	telling bool
	ever    bool // told something
}

func (l *link) channel(node string) Channel {
	return Channel{ID: l.id, Target: l.target, Active: true, Node: node, Connector: l.connector}
}

func (l *link) inFlight() int { return len(l.slots) }

// call sends a command, in the channel's window; each may be nil.
func (l *link) call(ctx context.Context, cmd exchange.Command, refuse bool, each func(exchange.Reply) error) (exchange.Reply, error) {
	select {
	case l.slots <- struct{}{}:
	default:
		if refuse && !l.over.Load() {
			return exchange.Reply{}, fmt.Errorf("command %s: %w", cmd.Type, exchange.ErrBusy)
		}
		select {
		case l.slots <- struct{}{}:
		case <-l.leaving: // its slots are being taken away
			return exchange.Reply{}, fmt.Errorf("command %s: %w", cmd.Type, errNotSent)
		case <-ctx.Done():
			return exchange.Reply{}, fmt.Errorf("command %s: %w (%w)", cmd.Type, exchange.ErrTimeout, ctx.Err())
		case <-l.e.Ended():
			return exchange.Reply{}, fmt.Errorf("command %s: %w", cmd.Type, errNotSent)
		}
	}
	defer func() { <-l.slots }()
	if each != nil {
		return l.e.Stream(ctx, cmd, each)
	}
	return l.e.Call(ctx, cmd)
}

// own sends one of the controller's own commands.
func (l *link) own(ctx context.Context, typ string, payload any) (exchange.Reply, error) {
	cmd, err := exchange.NewCommand(typ, payload)
	if err != nil {
		return exchange.Reply{}, err
	}
	return l.e.Call(ctx, cmd)
}

// serve lives through one channel, from HELLO to the end.
func (c *Controller) serve(ctx context.Context, ch exchange.Channel, who Identity) {
	if c.registry.count() >= c.o.MaxChannels {
		c.event(Event{Kind: ConnectorRefused, Identity: who.Name, Detail: "too many channels on this node"})
		exchange.CloseWith(ch, exchange.CloseTryAgain, "too many channels")
		return
	}
	l, err := c.welcome(ctx, ch, who)
	if err != nil {
		c.event(Event{Kind: ConnectorRefused, Target: l.target, Identity: who.Name, Detail: err.Error()})
		return
	}
	o := exchange.Options{Window: c.o.Window, Timeout: c.o.Timeout, Observe: c.trouble(l)}
	if c.o.Handlers != nil {
		o.Handlers = c.guard(l, c.o.Handlers(l.channel(c.node)))
	}
	l.e = exchange.NewEndpoint(ch, o)
	c.open(l)
	closed := Event{Kind: ChannelClosed, Target: l.target, Channel: l.id, Identity: who.Name}
	if err := l.e.Run(ctx); err != nil {
		closed.Detail = err.Error()
	}
	c.forget(l)
	c.event(closed)
}

// welcome answers HELLO.
func (c *Controller) welcome(ctx context.Context, ch exchange.Channel, who Identity) (*link, error) {
	l := &link{id: uuid.NewString(), identity: who, slots: make(chan struct{}, c.o.Window-reserved), leaving: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, c.o.HelloTimeout)
	defer cancel()
	_, err := exchange.Welcome(ctx, ch, func(ctx context.Context, req *exchange.Request) (any, error) {
		p := Proposal{Identity: who, Command: req.Command}
		if err := req.Decode(&p.Hello); err != nil {
			return nil, err
		}
		target, err := c.o.Hello(ctx, p)
		l.target, l.connector = target, p.Hello.ID
		switch {
		case err != nil:
			return nil, err
		case target == "":
			return nil, errors.New("the connector has no target")
		case time.Now().UnixNano() < c.takesIn.Load():
			return nil, fmt.Errorf("this controller does not reach the others: %w", exchange.ErrTryAgain)
		case !c.o.Access.Join(who, target):
			return nil, fmt.Errorf("%q may not belong to target %q", who.Name, target)
		}
		return exchange.Hello{TargetID: target}, nil
	})
	return l, err
}

// open makes a channel known, on this node at once and to the others soon.
func (c *Controller) open(l *link) {
	c.registry.put(entry{Channel: l.channel(c.node), link: l})
	c.health.add(l)
	c.event(Event{Kind: ChannelOpened, Target: l.target, Channel: l.id, Identity: l.identity.Name, Detail: l.connector})
	c.announcer.announce(l.channel(c.node))
	c.batches.targetIsBack(l.target)
}

// forget undoes open.
func (c *Controller) forget(l *link) {
	l.over.Store(true)
	c.health.remove(l)
	c.registry.delete(l.id)
	c.withdraw(l)
}

// withdraw has the other nodes send nothing more to a channel.
func (c *Controller) withdraw(l *link) {
	if !l.withdrawn.Swap(true) {
		c.announcer.withdraw(c.node, l.id, cluster.Any)
	}
}

// end takes a channel out of use, lets its commands end if there is time for
// that, and says goodbye. It returns when the channel has ended.
func (c *Controller) end(l *link, reconnect bool, drain time.Duration) {
	if l.over.Swap(true) {
		<-l.e.Ended()
		return
	}
	c.registry.deactivate(l.id)
	close(l.leaving)
	c.withdraw(l)
	l.drain(drain)
	ctx, cancel := context.WithTimeout(context.Background(), c.o.HealthTimeout)
	defer cancel()
	_, err := l.own(ctx, exchange.TypeGoodBye, exchange.GoodBye{TargetID: l.target, Reconnect: reconnect})
	if err == nil { // it closes the channel itself
		select {
		case <-l.e.Ended():
			return
		case <-ctx.Done():
		}
	}
	code := exchange.CloseNormal
	if reconnect {
		code = exchange.CloseTryAgain
	}
	_ = l.e.CloseWith(code, "goodbye")
	<-l.e.Ended()
}

// drain waits until no command is in flight by taking all slots.
func (l *link) drain(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for range cap(l.slots) {
		select {
		case l.slots <- struct{}{}:
		case <-timer.C:
			return
		case <-l.e.Ended():
			return
		}
	}
}

// trouble tells what the endpoint of a channel observes.
func (c *Controller) trouble(l *link) func(exchange.Event) {
	names := map[exchange.EventKind]string{
		exchange.LateReply: "late reply", exchange.HandlerPanic: "panic", exchange.ExpiredCommand: "expired command",
		exchange.Overload: "overload", exchange.DuplicateCommand: "duplicate command", exchange.Malformed: "malformed frame",
		exchange.TooLarge: "reply too large",
	}
	return func(ev exchange.Event) {
		c.event(Event{
			Kind: ChannelTrouble, Target: l.target, Channel: l.id,
			Detail: fmt.Sprintf("%s: %s %s", names[ev.Kind], ev.Type, ev.Detail),
		})
	}
}
