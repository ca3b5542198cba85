package component

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
)

const (
	// defaultStopWait is the budget of a stop that nobody gave one: a signal.
	defaultStopWait = 10 * time.Second
	// ackTimeout is how long a report on the way up waits to be acknowledged by
	// a peer that is there.
	ackTimeout = 10 * time.Second
	// farewell is the same on the way down, where a budget runs.
	farewell = 2 * time.Second
)

// runtime carries one component through its life. The goroutine of live owns
// the life; sessions, one for each attached peer, answer commands beside it.
type runtime struct {
	info      Info
	component Component
	loggers   *loggers
	log       hclog.Logger
	stderr    io.Writer
	link      *link
	replies   *exchange.ReplyCache // of commands with an idempotency key, of all sessions
	office    office

	base   context.Context // of the whole life, with the runtime in it
	wanted context.Context // ends when the component is told to stop
	unwant context.CancelCauseFunc

	mu       sync.Mutex // guards all below
	state    lifecycle.State
	since    time.Time
	failure  string    // why, once something failed
	deadline time.Time // of the stop; zero: not told to stop
	sessions map[*exchange.Endpoint]struct{}
}

var errStop = errors.New("the component was told to stop")

func newRuntime(ctx context.Context, info Info, c Component, l *loggers) *runtime {
	r := &runtime{
		info: info, component: c, loggers: l, stderr: os.Stderr, link: newLink(),
		replies: exchange.NewReplyCache(0, 0, false),
		state:   lifecycle.Launch, since: time.Now(),
		sessions: make(map[*exchange.Endpoint]struct{}),
	}
	r.base = context.WithValue(context.WithoutCancel(ctx), runtimeKey{}, r)
	r.wanted, r.unwant = context.WithCancelCause(r.base)
	l.begin(info.Name, info.Loggers)
	r.log = l.get(rootLogger)
	return r
}

// Run carries c through its life with the peer at the other end of ch, for a
// component that has no process of its own: embedded in a peer, or under test.
// It returns the exit code the process would have had. The end of ctx or of ch
// is a request to stop.
func Run(ctx context.Context, info Info, c Component, ch exchange.Channel) int {
	r := newRuntime(ctx, info, c, process)
	defer context.AfterFunc(ctx, func() { r.requestStop(defaultStopWait, "the context ended") })()
	served := make(chan struct{})
	go func() {
		defer close(served)
		r.serve(ch)
		r.requestStop(defaultStopWait, "the peer is gone")
	}()
	code := r.live()
	r.hangUp()
	_ = ch.Close()
	<-served
	return code
}

// serve answers one peer until its channel ends.
func (r *runtime) serve(ch exchange.Channel) {
	s := &session{runtime: r, Channel: ch, after: make(map[string]func())}
	s.endpoint = exchange.NewEndpoint(s, exchange.Options{Handlers: s.handlers(), Observe: r.observe})
	r.mu.Lock()
	r.sessions[s.endpoint] = struct{}{}
	r.mu.Unlock()
	if err := s.endpoint.Run(r.base); err != nil {
		r.log.Debug("lost the peer", "error", err)
	}
	r.link.detach(s.endpoint)
	r.mu.Lock()
	delete(r.sessions, s.endpoint)
	r.mu.Unlock()
}

// hangUp ends every session; what is queued on it still goes out. A handler
// that does not heed its context is left behind after a while.
func (r *runtime) hangUp() {
	r.office.leave()
	r.mu.Lock()
	var open []*exchange.Endpoint
	for e := range r.sessions {
		open = append(open, e)
	}
	r.mu.Unlock()
	for _, e := range open {
		_ = e.Close()
	}
	patience := time.NewTimer(farewell)
	defer patience.Stop()
	for _, e := range open {
		select {
		case <-e.Done():
		case <-patience.C:
			return
		}
	}
}

// requestStop asks for an orderly stop within budget. Asking again changes
// nothing but may shorten the budget.
func (r *runtime) requestStop(budget time.Duration, reason string) {
	deadline := time.Now().Add(budget)
	r.mu.Lock()
	first := r.deadline.IsZero()
	if first || deadline.Before(r.deadline) {
		r.deadline = deadline
	}
	r.mu.Unlock()
	if first {
		r.log.Info("stopping", "reason", reason, "within", budget)
		r.unwant(errStop)
	}
}

// budget is the context of what has to end within the stop budget.
func (r *runtime) budget() (context.Context, context.CancelFunc) {
	r.mu.Lock()
	deadline := r.deadline
	r.mu.Unlock()
	if deadline.IsZero() {
		deadline = time.Now().Add(defaultStopWait)
	}
	return context.WithDeadline(r.base, deadline)
}

func (r *runtime) setState(s lifecycle.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.since = s, time.Now()
}

func (r *runtime) setFailure(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = why
}

// status builds a report of the present state.
func (r *runtime) status(kind ccp.StatusType, message string) ccp.StatusEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(message) > ccp.MaxText {
		message = message[:ccp.MaxText]
	}
	return ccp.StatusEvent{
		StatusType: kind, State: r.state.String(), OperationScope: ccp.Scope(r.state), ErrorMessage: message,
	}
}

func (r *runtime) observe(e exchange.Event) {
	if e.Kind == exchange.HandlerPanic {
		r.log.Error("a handler panicked; its command failed", "type", e.Type, "panic", e.Detail)
	}
}

// The runtime of a process and of a context: PeerClient looks for it in the
// context first, as one process may hold several embedded components.
type runtimeKey struct{}

var current atomic.Pointer[runtime]

func runtimeOf(ctx context.Context) *runtime {
	if r, ok := ctx.Value(runtimeKey{}).(*runtime); ok {
		return r
	}
	return current.Load()
}
