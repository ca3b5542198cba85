package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/supervisor"
)

// link is the open CCP channel to a component.
type link struct {
	conn     *handshake.Conn
	endpoint *exchange.Endpoint
	client   *ccp.Client
	run      sync.WaitGroup

	mu       sync.Mutex // guards the following fields
	version  string     // negotiated; "" before the handshake
	features []string   // of the component
}

// connect brings the channel up and shakes hands. After it the component
// reports its states by itself.
//
// It takes nine tenths of launchTimeout at most: what is missing is then said
// before the launch as a whole is too late, which says less.
func (g *generation) connect(ctx context.Context, dir string) error {
	patience := g.patience() * 9 / 10
	deadline := time.Now().Add(patience)
	host := handshake.Host{Dir: dir, Timeout: patience}
	ch, err := host.Connect(ctx, connecting{g})
	if err != nil {
		return err
	}
	l := &link{conn: ch, endpoint: exchange.NewEndpoint(ch, exchange.Options{
		Handlers: g.componentHandlers(), Observe: g.observe,
	})}
	l.client = ccp.NewClient(l.endpoint)
	l.run.Go(func() {
		if err := l.endpoint.Run(g.ctx); err != nil && g.ctx.Err() == nil && !g.isStopping() {
			g.log.Warn("channel to the component ended", "error", err)
		}
	})
	g.mu.Lock()
	g.link = l
	g.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return g.shakeHands(ctx, l)
}

// shakeHands is the third version gate.
func (g *generation) shakeHands(ctx context.Context, l *link) error {
	own := handshake.Supported()
	ack, err := l.client.Handshake(ctx, ccp.Handshake{
		MinVersionSupported: own.Min.String(), MaxVersionSupported: own.Max.String(), Features: []string{},
	})
	if err != nil {
		return fmt.Errorf("HANDSHAKE was not answered: %w", err)
	}
	theirs, err := handshake.Parse(ack.MinVersionSupported, ack.MaxVersionSupported)
	if err != nil {
		return fmt.Errorf("HANDSHAKE was answered with a bad range: %w", err)
	}
	v, err := handshake.Agree(handshake.GateProtocol, own, theirs)
	if err != nil {
		return err
	}
	if !ack.CCPSupported {
		return fmt.Errorf("the component refuses the protocol: %s", ack.Comment)
	}
	l.mu.Lock()
	l.version, l.features = v.String(), ack.Features
	l.mu.Unlock()
	return nil
}

// runsOnce reports whether the component behind v says that it does not run a
// command with the key of one that has succeeded.
func runsOnce(v *supervisor.View) bool {
	g := generationOf(v)
	if g == nil {
		return false
	}
	l := g.currentLink()
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.features, ccp.FeatureIdempotency)
}

// closeLink ends the channel of a component that is gone, and waits for it.
func (g *generation) closeLink() {
	l := g.currentLink()
	if l != nil {
		_ = l.endpoint.Close()
		l.run.Wait()
		g.l.work.Go(func() {
			if err := l.conn.Wait(); err != nil {
				g.log.Warn("cannot let go of the component's channel", "error", err)
			}
		})
	}
}

// componentHandlers answer what a component asks of its peer.
func (g *generation) componentHandlers() *exchange.Mux {
	m := &exchange.Mux{}
	m.HandleOrdered(ccp.TypeStatus, ccp.Handle(g.statusReport))
	m.Handle(ccp.TypeDataRequest, ccp.HandleData(g.configuration))
	return m
}

// statusReport hands the component's word to the machine, whose verdict is the
// reply.
func (g *generation) statusReport(ctx context.Context, s ccp.StatusEvent) (ccp.Empty, error) {
	state, err := lifecycle.ParseState(s.State)
	if err != nil {
		return ccp.Empty{}, err
	}
	if s.StatusType != ccp.Information {
		g.log.Warn("component reports trouble", "type", string(s.StatusType), "state", s.State, "message", s.ErrorMessage)
	}
	if s.StatusType == ccp.Error {
		g.mu.Lock()
		g.complaint = s.ErrorMessage
		g.mu.Unlock()
	}
	detail := s.ErrorMessage
	if s.StatusType == ccp.Information {
		detail = ""
	}
	if s.Progress != nil {
		g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvProgress, Extend: g.spec.LaunchTimeout})
	}
	const step = "a report"
	if err := g.l.steps.enter(ctx, step); err != nil {
		return ccp.Empty{}, err // the next peer asks for the state
	}
	defer g.l.steps.leave(step)
	err = g.sink.Report(ctx, lifecycle.Event{Kind: lifecycle.EvReport, State: state, Detail: detail})
	if err == nil && state == lifecycle.Execution {
		g.started()
	}
	return ccp.Empty{}, err
}

func (g *generation) observe(e exchange.Event) {
	g.log.Debug("channel", "event", e.Kind, "type", e.Type, "id", e.ID, "detail", e.Detail)
}

// askPatience is how long a component may take to acknowledge
// INITIATE_SHUTDOWN before the ask counts as failed.
const askPatience = 2 * time.Second

// Ask implements supervisor.Handle.
func (g *generation) Ask(budget time.Duration, reason string) {
	g.stopping()
	if g.currentLink() == nil && g.joined == nil {
		g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvAskFailed, Detail: "the component has no channel yet"})
		return
	}
	end := time.Now().Add(budget)
	g.orderly(func() { g.l.see("INITIATE_SHUTDOWN", func() { g.initiateShutdown(time.Until(end), reason) }) })
}

func (g *generation) initiateShutdown(budget time.Duration, reason string) {
	ctx, cancel := context.WithTimeout(g.ctx, min(askPatience, budget))
	defer cancel()
	l, err := g.joinedLink(ctx)
	if err != nil {
		g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvAskFailed, Detail: err.Error()})
		return
	}
	err = l.client.InitiateShutdown(ctx, ccp.Shutdown{StopWaitTimeMs: budget.Milliseconds(), Reason: reason})
	if err == nil || g.ctx.Err() != nil {
		return
	}
	g.log.Warn("INITIATE_SHUTDOWN failed", "error", err)
	if errors.Is(err, exchange.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return // unanswered: the ladder's own time decides
	}
	g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvAskFailed, Detail: err.Error()})
}

// Call implements supervisor.Commander.
func (g *generation) Call(ctx context.Context, cmd exchange.Command, each func(exchange.Reply) error) (exchange.Reply, error) {
	l, err := g.joinedLink(ctx)
	if err != nil {
		return exchange.Reply{}, err
	}
	if each == nil {
		return l.endpoint.Call(ctx, cmd)
	}
	return l.endpoint.Stream(ctx, cmd, each)
}

// joinedLink is the channel, once it has been opened anew where an earlier peer
// had one.
func (g *generation) joinedLink(ctx context.Context) (*link, error) {
	if g.joined != nil {
		select {
		case <-g.joined:
		case <-g.ctx.Done():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if l := g.currentLink(); l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%w yet", supervisor.ErrNoChannel)
}

// ProtocolVersion implements supervisor.Commander.
func (g *generation) ProtocolVersion() string {
	l := g.currentLink()
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

// connecting is what the handshake needs of the process.
type connecting struct{ g *generation }

func (c connecting) Pid() int                { return c.g.process().Identity().Pid }
func (c connecting) Exited() <-chan struct{} { return c.g.process().Exited() }
func (c connecting) Kill()                   {} // the machine decides about force

func (c connecting) Belongs(pid int) bool { return belongs(c.g.process(), pid) }

// belongs reports whether pid is part of a process's tree.
func belongs(p *keeper.Process, pid int) bool {
	return p != nil && slices.ContainsFunc(p.Members(), func(m process.Member) bool { return m.Pid == pid })
}

func (c connecting) FirstLine(ctx context.Context) (string, error) {
	return c.g.output.FirstLine(ctx)
}

// configuration answers a component's DATA_REQUEST.
func (g *generation) configuration(ctx context.Context, r ccp.DataRequest) (ccp.Data, error) {
	source := func(f func() (any, error)) ccp.Source {
		return func(context.Context, ccp.DataRequest) (any, error) { return f() }
	}
	return ccp.Collect(ctx, time.Now(), r, map[ccp.Identifier]ccp.Source{
		ccp.ComponentConfiguration: source(g.componentConfiguration),
		ccp.NamedConfiguration:     source(func() (any, error) { return map[string]json.RawMessage{}, nil }),
		ccp.PortConfiguration:      source(func() (any, error) { return portsOf(g.spec), nil }),
		ccp.ManageableProperties:   source(func() (any, error) { return propertiesOf(g.spec), nil }),
	}), nil
}

func (g *generation) componentConfiguration() (any, error) {
	secrets, err := readSecrets(g.spec)
	if err != nil {
		return nil, err
	}
	values := g.spec.Config
	if values == nil {
		values = map[string]any{}
	}
	g.releveling.Lock()
	defer g.releveling.Unlock()
	g.leveled = g.definition().Loggers
	return ccp.Configuration{
		Address: g.spec.Address, Values: values, Arguments: g.spec.Arguments,
		Secrets: secrets, Loggers: g.l.levels.with(supervisor.KeyOf(g.spec), g.leveled),
	}, nil
}
