package api

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unixCredentials asks the kernel for SO_PEERCRED and SO_PEERGROUPS.
func unixCredentials(c *net.UnixConn) (Credentials, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Credentials{}, err
	}
	var cred Credentials
	var sysErr error
	err = raw.Control(func(fd uintptr) {
		var u *unix.Ucred
		if u, sysErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); sysErr != nil {
			return
		}
		cred = Credentials{UID: u.Uid, GID: u.Gid, Pid: int(u.Pid)}
		cred.Groups, sysErr = peerGroups(fd)
	})
	if err == nil {
		err = sysErr
	}
	if err != nil {
		return Credentials{}, err
	}
	cred.Comm = comm(cred.Pid)
	return cred, nil
}

// peerGroups is SO_PEERGROUPS: the supplementary groups, which x/sys has no
// wrapper for.
func peerGroups(fd uintptr) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == syscall.ERANGE && int(size/4) > len(groups):
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}
