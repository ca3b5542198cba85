package unix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/seed-04209a44/peerd/process"
)

// Listener accepts channels on a socket of the file system.
type Listener struct{ socket *net.UnixListener }

// Listen makes the socket at path, for its owner alone. One that an earlier
// process left there is replaced; that it is left, and not in use, is for the
// caller to know.
func Listen(path string) (*Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the socket %s: %w", path, err)
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on the socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot keep the socket private: %w", err), socket.Close())
	}
	return &Listener{socket}, nil
}

// FileListener is a Listener whose socket was inherited as an open file, which
// it closes.
func FileListener(f *os.File) (*Listener, error) {
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use the inherited file as a socket: %w", err)
	}
	socket, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(errors.New("cannot use the inherited socket: it is no unix socket"), l.Close())
	}
	return &Listener{socket}, nil
}

// File returns a duplicate of the socket to hand down to a child, which
// outlives the Listener: closing that leaves the socket's name in place then.
func (l *Listener) File() (*os.File, error) {
	l.socket.SetUnlinkOnClose(false)
	return l.socket.File()
}

// Path is the socket's name.
func (l *Listener) Path() string { return l.socket.Addr().String() }

// ErrStranger says that a process of another user has connected.
var ErrStranger = errors.New("connected by another user")

// Accept waits for the next channel. An error that wraps ErrStranger concerns
// one connection, which is closed; after any other nothing will come.
func (l *Listener) Accept() (*Conn, error) {
	socket, err := l.socket.AcceptUnix()
	if err != nil {
		return nil, err
	}
	who, err := process.PeerCredentials(socket)
	switch {
	case err != nil:
		err = fmt.Errorf("%w, or by one that cannot be told: %w", ErrStranger, err)
	case int(who.UID) != os.Geteuid():
		err = fmt.Errorf("%w: uid %d, process %d", ErrStranger, who.UID, who.Pid)
	default:
		return New(socket), nil
	}
	return nil, errors.Join(err, socket.Close())
}

// Close ends Accept.
func (l *Listener) Close() error { return l.socket.Close() }

// Dial connects to the socket at path and checks that our own user listens.
func Dial(ctx context.Context, path string) (*Conn, error) {
	var d net.Dialer
	socket, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	who, err := process.PeerCredentials(socket.(*net.UnixConn))
	if err == nil && int(who.UID) != os.Geteuid() {
		err = fmt.Errorf("cannot trust the socket %s: user %d listens there", path, who.UID)
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return New(socket), nil
}
