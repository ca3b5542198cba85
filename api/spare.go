package api

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
)

// spareFiles is how many connections are answered when the process has used up
// its descriptors: somebody must be able to ask what is wrong.
const spareFiles = 4

// spare keeps descriptors back for the connections of a server.
type spare struct {
	mu    sync.Mutex // guards the following field
	files []*os.File
}

func newSpare() *spare {
	s := &spare{}
	s.fill()
	return s
}

// fill takes back what was given away, as far as it is there again.
func (s *spare) fill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.files) < spareFiles {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		s.files = append(s.files, f)
	}
}

// give frees one descriptor and reports whether there was one left.
func (s *spare) give() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) == 0 {
		return false
	}
	last := len(s.files) - 1
	_ = s.files[last].Close()
	s.files = s.files[:last]
	return true
}

func (s *spare) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		_ = f.Close()
	}
	s.files = nil
}

// noticed takes back the descriptor of a connection that ended. It is an
// http.Server's ConnState.
func (s *spare) noticed(_ net.Conn, state http.ConnState) {
	if state == http.StateClosed {
		s.fill()
	}
}

// frugal is a listener that goes on accepting when there are no descriptors but
// the spare ones.
type frugal struct {
	net.Listener
	spare *spare
}

func (l frugal) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) || !l.spare.give() {
			return conn, err
		}
	}
}
