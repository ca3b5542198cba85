package peer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/websocket"
	"github.com/seed-04209a44/peerd/profiles"
)

// askAgain is after how long a peer that a controller has refused tries again:
// somebody may have changed the controller's rules.
const askAgain = time.Minute

// maxBackoff is the longest pause between two attempts to reach a controller.
const maxBackoff = 5 * time.Second

// helloTimeout is how long a controller has to take a peer in, twice: until there
// is a connection, and until HELLO is answered. One that is stopped or hangs still
// takes connections and says no more; the next one may be well.
const helloTimeout = 15 * time.Second

// fleetSocket has both ends of a fleet's connection notice within 8 s that the
// other one is not there.
var fleetSocket = websocket.Options{PingInterval: 3 * time.Second, PongTimeout: 5 * time.Second}

// membership is how the peer belongs to a fleet.
type membership struct {
	target    string
	endpoints []string
	tls       profiles.TLSFiles
	role      control.Role
	embedded  bool // the controller is in this process
}

// membershipOf is what a plan asks for; nil is no fleet. A peer that is a
// controller itself and has components belongs to its own fleet, under its own
// name, unless it is a connector of another one.
func membershipOf(plan *profiles.Plan) *membership {
	switch {
	case plan.Connector != nil:
		role, err := control.ParseRole(plan.Connector.Role)
		if err != nil {
			role = control.NoRole // the profile's check lets none through
		}
		return &membership{target: plan.Connector.TargetID, endpoints: plan.Connector.Endpoints, tls: plan.Connector.TLS, role: role}
	case plan.Controller != nil && len(plan.Specs) > 0:
		return &membership{target: plan.Peer.Name, endpoints: []string{"embedded"}, role: control.Admin, embedded: true}
	}
	return nil
}

// belong keeps the peer in the fleet that the plan in force names, until ctx
// ends. Nothing else waits for it.
func (p *Peer) belong(ctx context.Context) {
	for ctx.Err() == nil {
		plan, changed := p.planAndChange()
		m := membershipOf(plan)
		run, cancel := context.WithCancel(ctx)
		over := make(chan struct{})
		go func() {
			defer close(over)
			if m == nil {
				p.standing.leave()
				return
			}
			p.connect(run, *m)
		}()
		for ctx.Err() == nil && reflect.DeepEqual(m, membershipOf(plan)) {
			select {
			case <-ctx.Done():
			case <-changed:
				plan, changed = p.planAndChange()
			}
		}
		cancel()
		<-over
	}
}

// connect is a connector of a fleet until ctx ends.
func (p *Peer) connect(ctx context.Context, m membership) {
	p.standing.join(m.target)
	p.fleet.begin(m)
	defer func() {
		p.standing.disconnect()
		p.degraded.set("connector", nil)
		p.degraded.set("primary", nil)
		p.fleet.end()
	}()
	for ctx.Err() == nil {
		err := exchange.NewConnector(p.connectorOptions(m)).Run(ctx)
		var refused *exchange.RefusedError
		switch {
		case ctx.Err() != nil:
		case errors.As(err, &refused):
			p.fleet.refuse(err, askAgain)
			p.degraded.set("connector", err)
			sleep(ctx, askAgain)
		default:
			p.fleet.dismiss()
			p.degraded.set("connector", errors.New("the controller has sent this peer away for good; start peerd again to come back"))
			<-ctx.Done()
		}
	}
}

func (p *Peer) connectorOptions(m membership) exchange.ConnectorOptions {
	plan, _ := p.currentPlan()
	return exchange.ConnectorOptions{
		Endpoints: m.endpoints,
		Dial:      p.dialer(m),
		Hello:     exchange.Hello{TargetID: m.target, ID: plan.Peer.Name},
		Channel:   exchange.Options{Handlers: p.fleetHandlers(m.role), Observe: p.observeChannel},
		Health:    p.fleetHealth,
		Primary:   p.primaryTold,
		Observe:   p.observeConnector,
		// A fleet is whole again soon after the network is: what a peer that asks
		// every few seconds costs a controller is little.
		MaxBackoff: maxBackoff, HelloTimeout: helloTimeout,
	}
}

func (p *Peer) dialer(m membership) func(context.Context, string) (exchange.Channel, error) {
	return func(ctx context.Context, endpoint string) (exchange.Channel, error) {
		if m.embedded {
			p.standing.listen(time.Now)
			return p.host.dial(ctx, m.target)
		}
		o := websocket.DialOptions{Options: fleetSocket}
		if strings.HasPrefix(endpoint, "wss:") {
			// Read anew each time: certificates are replaced while the peer runs.
			conf, err := connectorTLS(m.tls)
			if err != nil {
				return nil, err
			}
			o.TLS = conf
		}
		conn, err := websocket.Dial(ctx, httpURL(endpoint), o)
		if err != nil {
			return nil, err
		}
		p.standing.listen(conn.Heard)
		return conn, nil
	}
}

// httpURL is the address by which a WebSocket's endpoint is dialled.
func httpURL(endpoint string) string {
	if rest, ok := strings.CutPrefix(endpoint, "ws"); ok {
		return "http" + rest
	}
	return endpoint
}

// fleetHandlers are the handlers of the control socket, for callers that come
// by way of a controller. A command that acts has one effect, however often it
// is sent, and whoever is killed meanwhile.
func (p *Peer) fleetHandlers(role control.Role) *exchange.Mux {
	look := p.handlers()
	act := &exchange.Mux{Replies: exchange.NewReplyCache(0, 0, true)}
	act.HandleRest(func(ctx context.Context, req *exchange.Request) (any, error) {
		return passOn(req, p.replies.answer(ctx, &req.Command, func(a *attempt) exchange.Reply {
			return dispatch(withAttempt(ctx, a), look, req)
		}))
	})
	m := &exchange.Mux{}
	m.HandleRest(func(ctx context.Context, req *exchange.Request) (any, error) {
		to := look
		if op, ok := control.Lookup(req.Type); ok && op.Role > control.Viewer {
			to = act
		}
		ctx = control.WithCaller(ctx, control.Caller{Role: role, By: p.fleet.caller(req.Caller)})
		return passOn(req, dispatch(ctx, to, req))
	})
	return m
}

// dispatch has another mux answer a command.
func dispatch(ctx context.Context, to *exchange.Mux, req *exchange.Request) exchange.Reply {
	return to.Dispatch(ctx, req.Command, func(r exchange.Reply) error { return req.Progress(r.Payload) })
}

// passOn makes another mux's reply that of a handler.
func passOn(req *exchange.Request, reply exchange.Reply) (any, error) {
	if reply.Type == exchange.TypeUnknown {
		return nil, exchange.ErrUnknown
	}
	req.ReplyType = reply.Type
	return reply.Payload, reply.Err()
}

// fleetHealth answers HEALTH_CHECK. A peer that can do less than it should is
// still the one to tell so, and to be asked: only one whose journal refuses is
// unhealthy, as nothing that it does would count.
func (p *Peer) fleetHealth(context.Context) exchange.Health {
	reasons := p.troubles()
	return exchange.Health{Healthy: !p.degraded.has("journal"), Detail: strings.Join(reasons, "; ")}
}

// primaryTold takes in PRIMARY.
func (p *Peer) primaryTold(_ context.Context, told exchange.Primary) error {
	err := p.standing.tell(told)
	p.degraded.set("primary", err)
	if err != nil {
		p.log.Warn("cannot accept what the controller says of the primary", "primary", told.Primary, "term", told.Term, "error", err)
		return err
	}
	p.log.Info("the controller has elected", "primary", told.Primary, "term", told.Term)
	return nil
}

func (p *Peer) observeConnector(ev exchange.ConnectorEvent) {
	p.fleet.observe(ev)
	switch ev.Kind {
	case exchange.Connected:
		p.standing.connect()
		p.degraded.set("connector", nil)
		p.log.Info("connected to a controller", "endpoint", ev.Endpoint, "target", ev.Target)
		return
	case exchange.Disconnected:
		p.standing.disconnect()
		p.log.Warn("disconnected from the controller", "endpoint", ev.Endpoint, "error", ev.Err)
	default:
		p.log.Warn("cannot connect to a controller", "endpoint", ev.Endpoint, "error", ev.Err)
	}
	why := ev.Err
	if why == nil {
		why = errors.New("the controller ended the connection")
	}
	p.degraded.set("connector", fmt.Errorf("not connected to %s: %w", ev.Endpoint, why))
}

func (p *Peer) observeChannel(ev exchange.Event) {
	p.log.Warn("on the channel to the controller", "kind", ev.Kind, "command", ev.Type, "id", ev.ID, "detail", ev.Detail)
}

// hostOf is the part of an endpoint that names the controller.
func hostOf(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return endpoint
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
