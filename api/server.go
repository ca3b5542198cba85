package api

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// Bounds of the server.
const (
	maxBody       = 1 << 20          // bytes of a request's body
	maxHeader     = 64 << 10         // bytes of its header
	maxRequests   = 512              // requests at once, streams included
	headerTimeout = 5 * time.Second  // to send the header
	bodyTimeout   = 30 * time.Second // to send the body
	idleTimeout   = 2 * time.Minute  // between requests of a connection
	drainTimeout  = 3 * time.Second  // for answers under way when Serve ends
)

// Dispatcher runs commands to their end: an *exchange.Mux.
type Dispatcher interface {
	Dispatch(ctx context.Context, cmd exchange.Command, progress func(exchange.Reply) error) exchange.Reply
}

// Options of a Server. Commands and Authorize are needed, the rest may stay zero.
type Options struct {
	Commands Dispatcher
	// Authorize says who a connection's other end is and what it may do. It must
	// be safe for concurrent use. A caller without a role gets 403 everywhere.
	Authorize func(Credentials) control.Caller
	// Ready says why the peer is not ready to work; nil, or returning nil, is ready.
	Ready func() error
	// Metrics is what /metrics shows beyond the server's own counters.
	Metrics Source
	// Heartbeat is the longest silence of a stream; default 15 s.
	Heartbeat time.Duration
	// Stall is how long a stream waits for a subscriber whose queue is full
	// before it cuts the subscriber off; default 10 s.
	Stall time.Duration
	// ErrorLog gets what net/http has to say of broken connections; nil: the
	// standard logger.
	ErrorLog *log.Logger
}

// Server serves the operations over HTTP.
type Server struct {
	opts    Options
	metrics *metrics
	handler http.Handler
	slots   chan struct{} // one for each request under way

	retired    chan struct{} // closed by Retire
	retireOnce sync.Once
}

// NewServer makes a server. It starts nothing.
func NewServer(o Options) *Server {
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Stall <= 0 {
		o.Stall = 10 * time.Second
	}
	s := &Server{opts: o, slots: make(chan struct{}, maxRequests), retired: make(chan struct{})}
	s.metrics = newMetrics(o.Metrics)
	s.handler = s.guard(sameOrigin(s.routes()))
	return s
}

// Handler is the server as a plain handler. Requests that did not come through
// Serve have no credentials and are refused, unless ctx has a control.Caller.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on the listeners until ctx ends or one of them fails, then ends
// every stream, waits for the answers under way (at most 3 s) and returns nil
// or the failure. Retire ends it, too. The listeners are closed.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	spare := newSpare()
	defer spare.close()
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          s.opts.ErrorLog,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withCredentials,
	}
	busy := &busyConns{}
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		busy.note(c, state)
		spare.noticed(c, state)
	}
	var wg sync.WaitGroup
	failed := make(chan error, len(listeners))
	doors, over := make([]*door, len(listeners)), make([]chan struct{}, len(listeners))
	for i, l := range listeners {
		doors[i], over[i] = newDoor(l), make(chan struct{})
		wg.Go(func() {
			defer close(over[i])
			if err := srv.Serve(frugal{doors[i], spare}); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		cancel()
	case <-s.retired:
		for i, d := range doors {
			d.shutUp(over[i])
		}
		busy.finish(srv)
	}
	drain(srv)
	wg.Wait()
	return err
}

// guard is what every request passes: the bound on requests at once, the
// caller's identity, and the counters.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			s.metrics.overload.Inc()
			writeError(w, http.StatusServiceUnavailable, control.Errorf(control.CodeFailed, "%d requests are under way: try again later", maxRequests))
			return
		}
		caller, err := s.identify(r)
		if err != nil {
			writeErr(w, err)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(control.WithCaller(r.Context(), caller)))
	})
}

// identify finds the caller and refuses one without a role.
func (s *Server) identify(r *http.Request) (control.Caller, error) {
	if err := sameHost(r); err != nil {
		return control.Caller{}, err
	}
	caller := control.CallerFrom(r.Context())
	if cred, ok := credentialsFrom(r.Context()); ok {
		caller = s.opts.Authorize(cred)
	}
	if caller.Role == control.NoRole {
		who := caller.By
		if who == "" {
			who = "an unknown caller"
		}
		return caller, control.Errorf(control.CodeRefused, "%s has no access to this peer: the profile's peer.access must name it", who)
	}
	return caller, nil
}

// sameHost refuses a request over TCP that a web page elsewhere made a browser
// send: its Host is that page's, though the name leads here.
func sameHost(r *http.Request) error {
	if _, tcp := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); !tcp {
		return nil
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return control.Errorf(control.CodeRefused, "the request was made for the host %q: use localhost", r.Host)
}

// sameOrigin refuses what a web page of another origin made a browser send.
func sameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeErr(w, control.Errorf(control.CodeRefused, "requests of the origin %q are not taken", r.Header.Get("Origin")))
	}))
	return p.Handler(next)
}
