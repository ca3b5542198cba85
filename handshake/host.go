package handshake

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// DefaultTimeout is how long a component may take for its handshake line.
	DefaultTimeout = 30 * time.Second
	// lastWords is how long after a component's end its first line may still
	// be on its way out of the capture.
	lastWords = 200 * time.Millisecond
)

// defaultVersions are the transport versions this module speaks.
var defaultVersions = []int{1}

// Process is the side of a launched component that the host needs; whoever
// spawns it (the peer directly, or its keeper) provides it.
type Process interface {
	Pid() int
	// FirstLine yields the component's first stdout line, or an error when the
	// stream ended or ctx did before there was one. Called once.
	FirstLine(ctx context.Context) (string, error)
	Exited() <-chan struct{}
	// Belongs reports whether pid is part of the component's process tree.
	Belongs(pid int) bool
	// Kill ends the process by force. The host never calls it: trouble with a
	// connection is for the stop policy to judge.
	Kill()
}

// Host connects to one component through go-plugin.
type Host struct {
	Dir      string        // private folder (0700) of this instance; the only place an address may lie in
	Timeout  time.Duration // for the handshake line, and again for the connection; default 30s
	Versions []int         // transport versions; default {1}
}

// Check reports why Dir cannot be used; ask before launching.
func (h *Host) Check() error { return checkDir(h.Dir) }

// Env returns the variables a component must be given so that its handshake
// can be understood (cookie, versions, socket folder).
func (h *Host) Env() []string {
	return []string{
		cookieKey + "=" + cookieValue,
		envVersions + "=" + join(h.versions(), ","),
		envSocketDir + "=" + h.Dir,
	}
}

// Connect waits for p's handshake line, connects, and returns the open
// channel. It never kills p and returns at once when p exits or ctx ends. The
// channel's end does not end p. That the component answers is known only once
// it has answered HANDSHAKE.
func (h *Host) Connect(ctx context.Context, p Process) (*Conn, error) {
	if err := h.Check(); err != nil {
		return nil, err
	}
	line, err := h.firstLine(ctx, p)
	if err != nil {
		return nil, err
	}
	g, err := parseLine(line, h.versions())
	if err != nil {
		return nil, &LineError{err}
	}
	return h.open(ctx, p, g)
}

// LineError says that a component's first output line is not the handshake
// that this peer accepts. It stays true when the component has ended since.
type LineError struct{ err error }

// Error is the reason, for people.
func (e *LineError) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e *LineError) Unwrap() error { return e.err }

// Attach connects to a component that went through Connect under an earlier
// peer; address and version are what its Conn said. p.FirstLine is not called.
func (h *Host) Attach(ctx context.Context, p Process, address string, version int) (*Conn, error) {
	if err := h.Check(); err != nil {
		return nil, err
	}
	g, err := parseLine(greeting{version: version, address: address}.line(), h.versions())
	if err != nil {
		return nil, err
	}
	return h.open(ctx, p, g)
}

// firstLine waits for the handshake line and says why there is none.
func (h *Host) firstLine(ctx context.Context, p Process) (string, error) {
	limit := h.timeout()
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	alive, release := whileAlive(timed, p, lastWords)
	defer release()

	line, err := p.FirstLine(alive)
	switch {
	case err == nil:
		return line, nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case timed.Err() != nil && !ended(p):
		return "", fmt.Errorf("the component printed no handshake line within %v", limit)
	case endsWithin(p, lastWords):
		return "", fmt.Errorf("%w before it printed a handshake line; its error log may say why", ErrEnded)
	default:
		return "", fmt.Errorf("the component closed its output without a handshake line: %w", err)
	}
}

func (h *Host) timeout() time.Duration {
	if h.Timeout <= 0 {
		return DefaultTimeout
	}
	return h.Timeout
}

func (h *Host) versions() []int {
	if len(h.Versions) == 0 {
		return defaultVersions
	}
	return h.Versions
}

// ErrEnded is returned when the component's process ended while it was being
// connected to.
var ErrEnded = errors.New("the component ended")

// whileAlive returns a context that also ends, with ErrEnded as cause, a delay
// after p has exited. release frees it and waits for its goroutine.
func whileAlive(ctx context.Context, p Process, delay time.Duration) (alive context.Context, release func()) {
	alive, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-alive.Done():
			return
		case <-p.Exited():
		}
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-alive.Done():
		case <-timer.C:
			cancel(ErrEnded)
		}
	}()
	return alive, func() { cancel(nil); <-done }
}

// endsWithin waits for p's exit, which is often seen a little after the end of
// its output.
func endsWithin(p Process, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.Exited():
		return true
	case <-timer.C:
		return false
	}
}

func ended(p Process) bool {
	select {
	case <-p.Exited():
		return true
	default:
		return false
	}
}
