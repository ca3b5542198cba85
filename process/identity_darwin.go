package process

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Identify gives the identity of a living process, [ErrGone] if there is none.
func Identify(pid int) (Identity, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return Identity{}, fmt.Errorf("cannot identify process %d: %w", pid, ErrGone)
	}
	started := info.Proc.P_starttime
	return Identity{Pid: pid, StartTicks: uint64(started.Sec)*1_000_000 + uint64(started.Usec)}, nil
}

// Alive says whether the very process that id names still lives.
func (id Identity) Alive() bool {
	now, err := Identify(id.Pid)
	return err == nil && now.StartTicks == id.StartTicks
}

// CommandName is the name of the running program as the kernel knows it, ""
// when there is no such process.
func CommandName(pid int) string {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(info.Proc.P_comm[:])
}

// growPipe does nothing: pipes grow by themselves.
func growPipe(*os.File) {}

// Credentials are whom the other end of a local connection belongs to.
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
	var c Credentials
	var asked error
	err = raw.Control(func(fd uintptr) {
		var who *unix.Xucred
		if who, asked = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); asked != nil {
			return
		}
		c.UID, c.GID = who.Uid, who.Groups[0]
		c.Pid, asked = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	})
	if err == nil {
		err = asked
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot tell who is connected: %w", err)
	}
	return c, nil
}
