package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Keep returns the socket of a listener of this package in a file of its own,
// which keeps it, and whoever connects to it, beyond the listener's Close. The
// caller closes it.
func Keep(l net.Listener) (*os.File, error) {
	switch l := l.(type) {
	case *net.UnixListener:
		l.SetUnlinkOnClose(false)
		return l.File()
	case *net.TCPListener:
		return l.File()
	}
	return nil, fmt.Errorf("cannot keep a listener of type %T", l)
}

// TakeOver listens on a socket that Keep has kept. It closes f.
func TakeOver(f *os.File) (net.Listener, error) {
	l, err := net.FileListener(f)
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("cannot go on listening: %w", err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(true)
	}
	return l, nil
}

// Retire makes Serve return for somebody else to listen on the same sockets
// (see Keep): nobody is accepted any more, whoever was accepted is answered, as
// far as that takes no longer than 3 s, and whoever connects from now on waits
// for the next one. It does not wait.
func (s *Server) Retire() { s.retireOnce.Do(func() { close(s.retired) }) }

// busyConns are the connections that a request is read from or answered on.
type busyConns struct {
	mu    sync.Mutex // guards all following fields
	conns map[net.Conn]bool
	quiet chan struct{} // closed when there are none; nil while nobody waits
}

// note is http.Server.ConnState.
func (b *busyConns) note(c net.Conn, s http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		b.conns = map[net.Conn]bool{}
	}
	if s == http.StateNew || s == http.StateActive {
		b.conns[c] = true
		return
	}
	delete(b.conns, c)
	if len(b.conns) == 0 && b.quiet != nil {
		close(b.quiet)
		b.quiet = nil
	}
}

// finish waits until every connection that was accepted has had its answer, for
// as long as drainTimeout. Shutdown alone would read the request of a new one,
// and then close it.
func (b *busyConns) finish(srv *http.Server) {
	srv.SetKeepAlivesEnabled(false)
	quiet := make(chan struct{})
	b.mu.Lock()
	if len(b.conns) == 0 {
		close(quiet)
	} else {
		b.quiet = quiet
	}
	b.mu.Unlock()
	late := time.NewTimer(drainTimeout)
	defer late.Stop()
	select {
	case <-quiet:
	case <-late.C:
	}
}

// drain answers what is under way and closes all connections.
func drain(srv *http.Server) {
	ctx, stop := context.WithTimeout(context.Background(), drainTimeout)
	defer stop()
	if srv.Shutdown(ctx) != nil {
		srv.Close()
	}
}

// door is a listener that can be shut without refusing or losing anybody: all
// that it has accepted is known to the server by then.
type door struct {
	net.Listener

	shut   chan struct{} // closed: nobody is to be accepted any more
	atRest chan struct{} // closed: and nobody will be
	closed chan struct{}
}

func newDoor(l net.Listener) *door {
	return &door{Listener: l, shut: make(chan struct{}), atRest: make(chan struct{}), closed: make(chan struct{})}
}

// Accept implements net.Listener. The server calls it again only when it knows
// the connection that it got before.
func (d *door) Accept() (net.Conn, error) {
	if !d.isShut() {
		conn, err := d.Listener.Accept()
		if err == nil || !d.isShut() {
			return conn, err
		}
	}
	close(d.atRest)
	<-d.closed
	return nil, net.ErrClosed
}

func (d *door) isShut() bool {
	select {
	case <-d.shut:
		return true
	default:
		return false
	}
}

// shutUp waits until nobody will be accepted any more; over is closed when
// nobody calls Accept any more.
func (d *door) shutUp(over <-chan struct{}) {
	close(d.shut)
	if l, ok := d.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = l.SetDeadline(time.Unix(1, 0))
	}
	select {
	case <-d.atRest:
	case <-over:
	}
}

// Close implements net.Listener; it is called once for each way out of Serve.
func (d *door) Close() error {
	select {
	case <-d.closed:
		return nil
	default:
		close(d.closed)
	}
	if err := d.Listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
