package api

import (
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"
)

// full is a listener of a process without descriptors.
type full struct {
	net.Listener
	tries int // until there is one
}

func (l *full) Accept() (net.Conn, error) {
	if l.tries > 0 {
		l.tries--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return nil, nil
}

// Connections are accepted as long as there are spare descriptors, and those
// come back when connections end.
func TestAcceptingWithoutDescriptors(t *testing.T) {
	s := newSpare()
	defer s.close()
	if _, err := (frugal{&full{tries: spareFiles}, s}).Accept(); err != nil {
		t.Errorf("with spare descriptors: %v", err)
	}
	if _, err := (frugal{&full{tries: 1}, s}).Accept(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("without: %v", err)
	}
	s.noticed(nil, http.StateClosed)
	if _, err := (frugal{&full{tries: 1}, s}).Accept(); err != nil {
		t.Errorf("when a connection has ended: %v", err)
	}
}
