package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Socket hears the sd_notify datagrams of one launched generation.
//
// Lifecycle: Listen before the launch, its path goes to the component as
// NOTIFY_SOCKET; Run while the generation lives; Close after it.
type Socket struct {
	path    string
	conn    *net.UnixConn
	refused atomic.Int64
	left    atomic.Bool // Close lets the socket be
}

// Listen makes the socket notify.sock in dir, which it creates if need
// be and which should belong to this generation alone. Components may run as
// another user, so the socket is open to all; who may speak is decided by the
// sender's credentials.
func Listen(dir string) (*Socket, error) {
	path := filepath.Join(dir, socketName)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the socket path %s has %d bytes and may have %d: use a shorter runtime folder", path, len(path), maxSocketPath)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("cannot make the notify socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot make the notify socket: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("cannot make the notify socket: %w", err)
	}
	if err := errors.Join(passCredentials(conn), os.Chmod(path, 0o666)); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make the notify socket: %w", err), conn.Close())
	}
	return &Socket{path: path, conn: conn}, nil
}

// maxSocketPath is the system's limit for a socket's path.
const maxSocketPath = 107

func passCredentials(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	})
	return errors.Join(err, set)
}

// Leave returns the socket in a file, for Inherit in another program: what is sent
// from now on, and not heard here, is heard there. Close no longer removes the
// socket.
func (n *Socket) Leave() (*os.File, error) {
	f, err := n.conn.File()
	if err != nil {
		return nil, fmt.Errorf("cannot leave the notify socket: %w", err)
	}
	n.left.Store(true)
	return f, nil
}

// Inherit goes on with a socket that Leave has left; dir is the one that
// it was made in. It closes f.
func Inherit(f *os.File, dir string) (*Socket, error) {
	conn, err := net.FilePacketConn(f)
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("cannot go on with the notify socket: %w", err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("cannot go on with the notify socket: it is none"), conn.Close())
	}
	return &Socket{path: filepath.Join(dir, socketName), conn: socket}, nil
}

// socketName is the socket's, in its folder.
const socketName = "notify.sock"

// Path is the value for NOTIFY_SOCKET.
func (n *Socket) Path() string { return n.path }

// Refused counts the datagrams of senders that were not allowed.
func (n *Socket) Refused() int64 { return n.refused.Load() }

// Run calls heard with each message of an allowed sender, in order and from
// the calling goroutine, until ctx ends or Close. allowed says whether a
// process belongs to the component's tree.
//
// A sender that is gone by the time it is asked about cannot be shown to
// belong to the tree, so it is refused and counted: accepting it would let any
// local process declare the component ready by exiting quickly. Senders that
// must not be missed wait until they were heard (sd_notify_barrier, which
// systemd-notify does by itself).
//
// lasting may be nil. It is told, before the message is taken from the socket, of
// one that holds for longer than a moment (see [Lasts]): whoever writes it down
// there knows it though he dies over it.
func (n *Socket) Run(ctx context.Context, allowed func(pid int) bool, lasting func(text string), heard func(Message)) error {
	return n.hear(ctx, allowed, lasting, func(pid int, text []byte) {
		msg := Parse(text)
		msg.Pid = pid
		heard(msg)
	})
}

// Hear is Run without making sense of what is said; heard must not keep text.
func (n *Socket) Hear(ctx context.Context, allowed func(pid int) bool, heard func(text []byte)) error {
	return n.hear(ctx, allowed, nil, func(_ int, text []byte) { heard(text) })
}

func (n *Socket) hear(ctx context.Context, allowed func(pid int) bool, lasting func(string), heard func(int, []byte)) error {
	stop := context.AfterFunc(ctx, func() { _ = n.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, maxDatagram)
	oob := make([]byte, 512)
	for {
		if lasting != nil {
			n.peek(b, oob, allowed, lasting)
		}
		k, m, flags, _, err := n.conn.ReadMsgUnix(b, oob)
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			closeAll(oob[:m])
			return nil
		case err != nil:
			return fmt.Errorf("cannot read the notify socket %s: %w", n.path, err)
		}
		pid := sender(oob[:m])
		if pid <= 0 || flags&unix.MSG_TRUNC != 0 || !allowed(pid) {
			n.refused.Add(1)
		} else {
			heard(pid, b[:k])
		}
		closeAll(oob[:m])
	}
}

// peek waits for a message, leaves it where it is, and tells lasting if it is one
// that lasts. What goes wrong is for the reading to find.
func (n *Socket) peek(b, oob []byte, allowed func(pid int) bool, lasting func(string)) {
	raw, err := n.conn.SyscallConn()
	if err != nil {
		return
	}
	var k, m, flags int
	var failed error
	if raw.Read(func(fd uintptr) bool {
		for failed = unix.EINTR; failed == unix.EINTR; {
			k, m, flags, _, failed = unix.Recvmsg(int(fd), b, oob, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		}
		return failed != unix.EAGAIN
	}) != nil || failed != nil {
		return
	}
	defer closeAll(oob[:m])
	if flags&unix.MSG_TRUNC != 0 {
		return // it will be refused
	}
	if text := string(b[:k]); Lasts(text) && allowed(sender(oob[:m])) {
		lasting(text)
	}
}

// Close removes the socket and ends Run.
func (n *Socket) Close() error {
	if n.left.Load() {
		return n.conn.Close()
	}
	return errors.Join(n.conn.Close(), os.Remove(n.path))
}

// LetGo is Close for one who is not the last to hold the socket, which stays.
func (n *Socket) LetGo() error {
	n.left.Store(true)
	return n.Close()
}

// sender is the pid the kernel vouches for; 0 when it does not.
func sender(oob []byte) int {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for i := range messages {
		if cred, err := syscall.ParseUnixCredentials(&messages[i]); err == nil {
			return int(cred.Pid)
		}
	}
	return 0
}

// closeAll closes the descriptors that came along.
func closeAll(oob []byte) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
	}
}
