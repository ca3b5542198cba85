package process

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// growPipe is best effort: beyond a user's share the kernel says EPERM.
func growPipe(f *os.File) { _, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, fifoSize) }

// Credentials are whom the other end of a local connection belonged to when it
// was connected.
type Credentials struct {
	UID, GID uint32
	Pid      int
}

// PeerCredentials asks the kernel who is at the other end of conn.
func PeerCredentials(conn *net.UnixConn) (Credentials, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot tell who is connected: %w", err)
	}
	var c *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		c, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err == nil {
		err = asked
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot tell who is connected: %w", err)
	}
	return Credentials{UID: c.Uid, GID: c.Gid, Pid: int(c.Pid)}, nil
}
