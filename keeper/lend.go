package keeper

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/process"
)

// A file goes between a user and its keeper over a socket of its own, which the
// user makes for it; the order that it belongs to names the path.

// counter is a socket at which one file is handed over.
type counter struct{ socket *net.UnixListener }

// openCounter makes the n-th counter in a folder.
func openCounter(folder string, n uint64) (*counter, error) {
	path := filepath.Join(folder, "keeper."+strconv.FormatUint(n, 36))
	_ = os.Remove(path) // a user who was killed may have left it
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot hand over a file: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return &counter{socket}, nil
}

func (c *counter) path() string { return c.socket.Addr().String() }
func (c *counter) close()       { _ = c.socket.Close() }

// meet waits for the keeper, who is then to hand over or take the file in time.
func (c *counter) meet() (*net.UnixConn, error) {
	conn, err := c.socket.AcceptUnix()
	if err != nil {
		return nil, err
	}
	who, err := process.PeerCredentials(conn)
	if err == nil && int(who.UID) != os.Geteuid() {
		err = fmt.Errorf("connected by uid %d", who.UID)
	}
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(counterPatience))
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// counterPatience bounds how long a file is on its way.
const counterPatience = 5 * time.Second

// visit connects to a user's counter.
func visit(path string) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot hand over a file: %w", err)
	}
	return conn, conn.SetDeadline(time.Now().Add(counterPatience))
}

// give sends a file to the user who waits at path.
func give(path string, fd int) error {
	conn, err := visit(path)
	if err != nil {
		return err
	}
	return errors.Join(send(conn, fd), conn.Close())
}

// accept takes the file that a user offers at path.
func accept(path string) (fd int, err error) {
	conn, err := visit(path)
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	return receive(conn)
}

func send(conn *net.UnixConn, fd int) error {
	_, _, err := conn.WriteMsgUnix([]byte{0}, syscall.UnixRights(fd), nil)
	return err
}

// receive takes the one file that is sent, or none.
func receive(conn *net.UnixConn) (fd int, err error) {
	oob := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return -1, err
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return -1, errors.Join(errors.New("no file was handed over"), err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.Join(errors.New("no file was handed over"), err)
	}
	return fds[0], nil
}
