package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/controller"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
	"github.com/seed-04209a44/peerd/profiles"
)

// Bounds of a controller's listener.
const (
	serveAgain    = 5 * time.Second // after a controller has failed
	headerTimeout = 10 * time.Second
)

// host is the controller in this process, if the profile asks for one.
type host struct {
	mu      sync.Mutex // guards all below
	current *controller.Controller
	engine  *cluster.NATS // what it decides with; nil while there is none
	changed chan struct{} // closed when current is another
	listen  string
	fault   error
}

func (h *host) set(c *controller.Controller, listen string, fault error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current, h.listen, h.fault = c, listen, fault
	if h.changed != nil {
		close(h.changed)
	}
	h.changed = make(chan struct{})
}

func (h *host) get() (*controller.Controller, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return h.current, h.changed
}

// dial opens an embedded channel as soon as there is a controller.
func (h *host) dial(ctx context.Context, name string) (exchange.Channel, error) {
	for {
		c, changed := h.get()
		if c != nil {
			return c.Embedded(controller.Identity{Name: name})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("the controller of this peer does not run: %w", ctx.Err())
		}
	}
}

// hostController is a controller until ctx ends. What goes wrong with it is
// tried again, and harms no component.
func (p *Peer) hostController(ctx context.Context) {
	plan, _ := p.currentPlan()
	if plan.Controller == nil {
		return
	}
	for ctx.Err() == nil {
		err := p.serveController(ctx, plan)
		p.host.set(nil, "", err)
		p.degraded.set("controller", err)
		if err != nil {
			p.log.Error("the controller has ended", "error", err, "again in", serveAgain)
			sleep(ctx, serveAgain)
		}
	}
}

// serveController runs one controller to its end.
func (p *Peer) serveController(ctx context.Context, plan *profiles.Plan) error {
	set := plan.Controller
	security, err := controllerTLS(set.TLS)
	if err != nil {
		return err
	}
	engine, err := p.openEngine(ctx, plan)
	if err != nil || engine == nil {
		return err
	}
	defer engine.Close()
	defer p.host.use(nil)
	c, err := controller.New(p.controllerOptions(set, engine, security))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", set.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen for connectors: %w", err)
	}
	if security != nil {
		l = tls.NewListener(l, security)
	}
	server := &http.Server{
		Handler: fleetRoutes(c), ReadHeaderTimeout: headerTimeout,
		ErrorLog: p.log.Named("controller").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { // a controller that nobody reaches is none: its error ends all
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error { return p.saveRegularly(ctx, engine) })
	g.Go(func() error {
		defer closeServer(server)
		return c.Run(ctx)
	})
	g.Go(func() error {
		select {
		case <-c.Running():
			p.host.set(c, l.Addr().String(), nil)
			p.degraded.set("controller", nil)
			p.log.Info("controller runs", "identifier", set.Identifier, "listen", l.Addr().String())
		case <-ctx.Done():
		}
		return nil
	})
	return g.Wait()
}

// closeServer lets callers that still wait for an answer have it, for a while: by
// now every command has one, or is on another controller's channel.
func closeServer(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), controller.DefaultDrainTimeout)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		s.Close()
	}
}

// fleetRoutes takes in connectors where they connect, and serves the management
// everywhere else, though not to what other web pages make a browser send.
func fleetRoutes(c *controller.Controller) http.Handler {
	connectors, management := c.Handler(), http.NewCrossOriginProtection().Handler(c.Management())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if websocket.IsConnectorPath(r.URL.Path) {
			connectors.ServeHTTP(w, r)
			return
		}
		management.ServeHTTP(w, r)
	})
}

func (p *Peer) controllerOptions(set *profiles.ControllerSettings, engine cluster.Engine, security *tls.Config) controller.Options {
	o := controller.Options{Identifier: set.Identifier, Engine: engine, Observe: p.observeController, WebSocket: fleetSocket}
	for _, r := range set.Access {
		o.Access = append(o.Access, controller.Rule(r))
	}
	if security != nil && security.ClientCAs != nil {
		o.Authenticate = controller.Certificates(security.ClientCAs)
		o.Management.Caller = o.Authenticate
		return o
	}
	o.Management.Caller = p.localCaller
	return o
}

// localCaller is the caller of the management where no certificates are asked
// for: everybody may look, and only an administrator of this peer, on this host,
// may act.
func (p *Peer) localCaller(r *http.Request) (controller.Identity, error) {
	if r.Method == http.MethodGet {
		return controller.Identity{}, nil
	}
	who, err := api.CallerOf(r)
	if err != nil {
		return controller.Identity{}, fmt.Errorf("%w: without tls only callers on this host may act (%w)", err, websocket.ErrUnauthorized)
	}
	plan, _ := p.currentPlan()
	role, err := api.Access(plan.Peer.Access)
	if err != nil {
		return controller.Identity{}, err
	}
	caller := role(who)
	if caller.Role < control.Admin {
		return controller.Identity{}, fmt.Errorf("%s is no administrator of this peer: %w", caller.By, websocket.ErrUnauthorized)
	}
	return controller.Identity{Name: caller.By}, nil
}

// observeController logs what happens in the controller; refusals are the audit.
func (p *Peer) observeController(ev controller.Event) {
	log := p.log.Named("controller").Info
	switch ev.Kind {
	case controller.ConnectorRefused, controller.CommandRefused, controller.PrimaryRefused,
		controller.ChannelUnhealthy, controller.ChannelTrouble, controller.EngineTrouble:
		log = p.log.Named("controller").Warn
	}
	facts := []any{"kind", ev.Kind}
	for _, f := range [][2]string{{"target", ev.Target}, {"channel", ev.Channel}, {"identity", ev.Identity}, {"batch", ev.Batch}, {"detail", ev.Detail}} {
		if f[1] != "" {
			facts = append(facts, f[0], f[1])
		}
	}
	if ev.Term != 0 {
		facts = append(facts, "term", ev.Term)
	}
	log("fleet event", facts...)
}

// controllerStatus is the controller as status shows it; nil without one.
func (p *Peer) controllerStatus() *control.ControllerStatus {
	plan, _ := p.currentPlan()
	if plan.Controller == nil {
		return nil
	}
	p.host.mu.Lock()
	c, listen, fault, engine := p.host.current, p.host.listen, p.host.fault, p.host.engine
	p.host.mu.Unlock()
	s := &control.ControllerStatus{Identifier: plan.Controller.Identifier, Listen: listen}
	if engine != nil {
		e := engine.Status()
		s.Cluster = &control.ClusterStatus{Mode: e.Mode, Name: e.Cluster, Node: e.Node, There: e.There}
		for _, b := range e.Buckets {
			s.Cluster.Buckets = append(s.Cluster.Buckets, control.BucketStatus(b))
		}
	}
	if fault != nil {
		s.Error = fault.Error()
	}
	if c != nil {
		targets := map[string]bool{}
		for _, ch := range c.Channels() {
			targets[ch.Target] = true
			s.Channels++
		}
		s.Targets = len(targets)
	}
	return s
}
