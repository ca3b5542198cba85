package process

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// statusOffset is where the kernel puts the status into a siginfo: behind three
// numbers, aligned as a pointer is, come the pid, the user and the status.
const statusOffset = (3*4+unsafe.Sizeof(uintptr(0))-1)&^(unsafe.Sizeof(uintptr(0))-1) + 2*4

// Codes of a siginfo that say how a child ended.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// look tells how a child has ended, and leaves it to be reaped. An error says
// that it is no child of ours.
func look(pid int) (exit Exit, ended bool, err error) {
	var info unix.Siginfo
	for {
		err = unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	status := int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), statusOffset)))
	switch {
	case err != nil:
		return Exit{}, false, err
	case info.Code == cldExited:
		return exitOf(unix.WaitStatus(status << 8)), true, nil
	case info.Code == cldKilled, info.Code == cldDumped:
		return exitOf(unix.WaitStatus(status)), true, nil
	}
	return Exit{}, false, nil
}
