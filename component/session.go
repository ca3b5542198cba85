package component

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/handshake"
)

// session answers the commands of one attached peer. It stands between the
// endpoint and its channel to see replies leave: what a reply promises begins
// only once it is on its way.
type session struct {
	exchange.Channel
	runtime  *runtime
	endpoint *exchange.Endpoint

	mu    sync.Mutex
	after map[string]func() // by command ID: what to do once its reply has left
}

// Send sends f and then does what waited for it.
func (s *session) Send(f exchange.Frame) error {
	err := s.Channel.Send(f)
	if f.Reply != nil && f.Reply.Status.Terminal() {
		s.mu.Lock()
		then := s.after[f.Reply.CommandID]
		delete(s.after, f.Reply.CommandID)
		s.mu.Unlock()
		if then != nil {
			then()
		}
	}
	return err
}

// afterReply has then called when the reply to the command has left.
func (s *session) afterReply(commandID string, then func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after[commandID] = then
}

// handlers of the peer's commands. What changes something is ordered.
func (s *session) handlers() *exchange.Mux {
	r := s.runtime
	m := exchange.Mux{Replies: r.replies}
	m.HandleOrdered(ccp.TypeHandshake, s.inContext(s.handshake))
	m.HandleOrdered(ccp.TypeInitiateShutdown, s.inContext(s.shutdown))
	m.HandleOrdered(ccp.TypeSetLogLevel, s.inContext(ccp.Handle(r.setLogLevel)))
	m.HandleOrdered(ccp.TypePrimary, s.inContext(ccp.Handle(r.primary)))
	m.Handle(ccp.TypeReportState, s.inContext(ccp.Handle(r.reportState)))
	m.Handle(ccp.TypeHealthCheck, s.inContext(ccp.Handle(r.healthCheck)))
	m.Handle(ccp.TypeDataRequest, s.inContext(ccp.HandleData(r.collect)))
	m.Handle(ccp.TypeFlushMessages, s.inContext(ccp.Handle(r.flush)))
	m.Handle(ccp.TypeClearOutLogs, s.inContext(ccp.Handle(r.clearOutLogs)))
	m.Handle(ccp.TypeClearErrLogs, s.inContext(ccp.Handle(r.clearErrLogs)))
	m.Handle(ccp.TypeDumpStack, s.inContext(ccp.Handle(r.dumpStack)))
	if h, ok := r.component.(CommandHandler); ok {
		m.HandleRest(s.inContext(custom(h)))
	}
	return &m
}

// inContext gives a handler's context the runtime.
func (s *session) inContext(h exchange.Handler) exchange.Handler {
	return func(ctx context.Context, req *exchange.Request) (any, error) {
		return h(context.WithValue(ctx, runtimeKey{}, s.runtime), req)
	}
}

// handshake negotiates the protocol version; with its answer the peer is
// attached, and the life begins or goes on.
func (s *session) handshake(ctx context.Context, req *exchange.Request) (any, error) {
	return ccp.Handle(func(_ context.Context, h ccp.Handshake) (ccp.HandshakeAck, error) {
		ack := ccp.HandshakeAck{
			MinVersionSupported: ccp.MinVersion, MaxVersionSupported: ccp.MaxVersion, Features: s.runtime.features(),
		}
		peer, err := handshake.Parse(h.MinVersionSupported, h.MaxVersionSupported)
		if err != nil {
			return ack, err
		}
		version, err := handshake.Agree(handshake.GateProtocol, peer, handshake.Supported())
		if err != nil {
			ack.Comment = err.Error()
			return ack, nil
		}
		ack.CCPSupported = true
		ack.Comment = fmt.Sprintf("%s %s speaks CCP %s", s.runtime.info.Name, s.runtime.info.Version, version)
		s.afterReply(req.ID, func() { s.runtime.link.attach(s.endpoint) })
		return ack, nil
	})(ctx, req)
}

// shutdown acknowledges at once; the stop begins when that has left.
func (s *session) shutdown(ctx context.Context, req *exchange.Request) (any, error) {
	return ccp.Handle(func(_ context.Context, d ccp.Shutdown) (ccp.Empty, error) {
		budget := time.Duration(d.StopWaitTimeMs) * time.Millisecond
		if budget == 0 {
			budget = defaultStopWait
		}
		s.afterReply(req.ID, func() { s.runtime.requestStop(budget, d.Reason) })
		return ccp.Empty{}, nil
	})(ctx, req)
}

func (r *runtime) reportState(context.Context, ccp.Empty) (ccp.StateReport, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ccp.StateReport{
		State: r.state.String(), Since: r.since, OperationScope: ccp.Scope(r.state), ErrorMessage: r.failure,
	}, nil
}

func (r *runtime) setLogLevel(_ context.Context, m ccp.LogLevelMap) (ccp.LogLevelMap, error) {
	changed, err := r.loggers.set(m.Levels)
	if err != nil {
		return ccp.LogLevelMap{}, err
	}
	levels, err := r.loggers.inForce(nil)
	if err != nil {
		return ccp.LogLevelMap{}, err
	}
	if c, ok := r.component.(LogLeveler); ok {
		for _, name := range changed {
			c.SetLogLevel(name, levels[name])
		}
	}
	return ccp.LogLevelMap{Levels: levels}, nil
}

func (r *runtime) primary(_ context.Context, p ccp.PrimaryNotice) (ccp.Empty, error) {
	return ccp.Empty{}, r.office.take(p, func(primary bool, term uint64) {
		if c, ok := r.component.(PrimaryAware); ok {
			c.Primary(primary, term)
		}
	})
}

func (r *runtime) healthCheck(ctx context.Context, _ ccp.Empty) (ccp.Health, error) {
	c, ok := r.component.(HealthChecker)
	if !ok {
		return ccp.Health{Healthy: true}, nil
	}
	healthy, detail := c.Healthy(ctx)
	return ccp.Health{Healthy: healthy, Detail: detail}, nil
}

func (r *runtime) flush(ctx context.Context, _ ccp.Empty) (ccp.Empty, error) {
	c, ok := r.component.(Flusher)
	if !ok {
		return ccp.Empty{}, errNotSupported
	}
	return ccp.Empty{}, c.Flush(ctx)
}

func (r *runtime) clearOutLogs(ctx context.Context, _ ccp.Empty) (ccp.Empty, error) {
	c, ok := r.component.(OutLogClearer)
	if !ok {
		return ccp.Empty{}, errNotSupported
	}
	return ccp.Empty{}, c.ClearOutLogs(ctx)
}

func (r *runtime) clearErrLogs(ctx context.Context, _ ccp.Empty) (ccp.Empty, error) {
	c, ok := r.component.(ErrLogClearer)
	if !ok {
		return ccp.Empty{}, errNotSupported
	}
	return ccp.Empty{}, c.ClearErrLogs(ctx)
}

// dumpStack writes every goroutine's stack to standard error.
func (r *runtime) dumpStack(context.Context, ccp.Empty) (ccp.Empty, error) {
	return ccp.Empty{}, pprof.Lookup("goroutine").WriteTo(r.stderr, 2)
}

var errNotSupported = errors.New("not supported")

// features lists the optional commands this component answers.
func (r *runtime) features() []string {
	features := []string{ccp.FeatureIdempotency, ccp.TypeDumpStack}
	add := func(has bool, name string) {
		if has {
			features = append(features, name)
		}
	}
	_, has := r.component.(Flusher)
	add(has, ccp.TypeFlushMessages)
	_, has = r.component.(OutLogClearer)
	add(has, ccp.TypeClearOutLogs)
	_, has = r.component.(ErrLogClearer)
	add(has, ccp.TypeClearErrLogs)
	_, has = r.component.(PrimaryAware)
	add(has, ccp.TypePrimary)
	_, has = r.component.(Statser)
	add(has, string(ccp.ComponentStats))
	_, has = r.component.(CommandHandler)
	add(has, "CUSTOM_COMMANDS")
	return features
}

// custom answers what the protocol does not know.
func custom(h CommandHandler) exchange.Handler {
	return func(ctx context.Context, req *exchange.Request) (any, error) {
		payload := req.Payload
		if len(payload) == 0 {
			payload = json.RawMessage(`{}`)
		}
		out, err := h.HandleCommand(ctx, req.Type, payload, req.Progress)
		if errors.Is(err, ErrUnknownCommand) {
			return nil, exchange.ErrUnknown
		}
		return out, err
	}
}
