package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/seed-04209a44/peerd/exchange"
)

// ErrUnauthorized is what an Authenticate function returns (or wraps) to have an
// upgrade answered 401; any other error is answered 500.
var ErrUnauthorized = errors.New("unauthorized")

// ServerOptions of a Server.
type ServerOptions struct {
	Options
	// Prefix comes before /exchange/controller; default none.
	Prefix string
	// Authenticate decides on an upgrade; what it returns is Conn.Identity. nil
	// accepts everybody.
	Authenticate func(*http.Request) (identity any, err error)
	// Refused is told of each upgrade that Authenticate did not let pass; may be nil.
	Refused func(r *http.Request, status int, err error)
	// Accept uses one channel until it ends, in a goroutine of its own. If it
	// returns without having closed the channel, that is closed with
	// exchange.CloseInternal. ctx ends with Server.Close. Required.
	Accept func(ctx context.Context, ch *Conn)
}

// Server takes in connectors. It is an http.Handler: it answers 404 for a path
// that is not the exchange's, 410 after Close, 401 and 500 as Authenticate says.
type Server struct {
	o      ServerOptions
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex // guards closed, and wg.Add against wg.Wait
	closed bool
}

// NewServer returns a server; Close it when done.
func NewServer(o ServerOptions) *Server {
	s := &Server{o: o}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ServeHTTP upgrades one request and runs its channel to the end.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protocol, ok := s.protocol(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if !s.enter() {
		http.Error(w, "the controller is not running", http.StatusGone)
		return
	}
	defer s.wg.Done()
	identity, err := s.authenticate(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set(clockHeader, clockNow())
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		CompressionMode: websocket.CompressionDisabled, InsecureSkipVerify: notOfAPage(r),
	})
	if err != nil {
		return // Accept has answered
	}
	c := newConn(ws, protocol, r.Header, s.o.Options)
	c.Request, c.Identity = r, identity
	defer func() { _ = c.CloseWith(exchange.CloseInternal, "") }() // unless it is closed by now
	s.o.Accept(s.ctx, c)
}

// notOfAPage reports whether a request cannot be what a foreign web page has made
// a browser send: a page cannot add this header to an upgrade. Its Origin then
// does not matter. Some connectors send one, which is not the controller's own
// where a proxy between has another name.
func notOfAPage(r *http.Request) bool { return r.Header.Get(ProtocolHeader) != "" }

// protocol tells which protocol a request is for, and whether its path is ours.
func (s *Server) protocol(r *http.Request) (Protocol, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, strings.TrimRight(s.o.Prefix, "/"))
	switch {
	case !ok || !IsConnectorPath(rest):
		return "", false
	case !strings.HasPrefix(rest, legacyPath) && Protocol(r.Header.Get(ProtocolHeader)) == V1:
		return V1, true
	}
	return Legacy, true
}

// authenticate asks the hook; that it panics is an error like any other.
func (s *Server) authenticate(r *http.Request) (identity any, err error) {
	if s.o.Authenticate == nil {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("authentication panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return s.o.Authenticate(r)
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, ErrUnauthorized) {
		status = http.StatusUnauthorized
	}
	if s.o.Refused != nil {
		s.o.Refused(r, status, err)
	}
	http.Error(w, http.StatusText(status), status)
}

// enter counts a request, unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

// Close refuses new connectors, ends the contexts of the channels there are,
// and waits until every Accept has returned.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}
