package api

import (
	"net"

	"golang.org/x/sys/unix"
)

// unixCredentials asks the kernel for LOCAL_PEERCRED and LOCAL_PEERPID.
func unixCredentials(c *net.UnixConn) (Credentials, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Credentials{}, err
	}
	var cred Credentials
	var sysErr error
	err = raw.Control(func(fd uintptr) {
		var x *unix.Xucred
		if x, sysErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); sysErr != nil {
			return
		}
		cred = Credentials{UID: x.Uid, GID: x.Groups[0], Groups: x.Groups[:x.Ngroups]}
		cred.Pid, sysErr = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
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
