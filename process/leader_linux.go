package process

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pidLeader follows a process through its pidfd. The fd is watched by the
// runtime's poller, so that a thousand waiters need no thread.
type pidLeader struct {
	pid    int
	file   *os.File    // the pidfd
	dead   atomic.Bool // it is a child of ours that has ended and was not reaped
	forget func()      // the pid is the reaper's business from now on
}

// newLeader owns pidfd from now on, even when it fails.
func newLeader(pid, pidfd int) (*pidLeader, error) {
	if err := unix.SetNonblock(pidfd, true); err != nil {
		unix.Close(pidfd)
		return nil, err
	}
	return &pidLeader{pid: pid, file: os.NewFile(uintptr(pidfd), fmt.Sprintf("pidfd of %d", pid))}, nil
}

func (l *pidLeader) close() {
	l.file.Close()
	l.bury()
}

// bury reaps the leader, if it is there to be reaped, and lets go of its pid.
func (l *pidLeader) bury() {
	if l.dead.CompareAndSwap(true, false) {
		var status unix.WaitStatus
		_, _ = wait4(l.pid, &status)
	}
	if l.forget != nil {
		l.forget()
	}
}

// signal reaches the leader alone, and needs no further fd.
func (l *pidLeader) signal(sig syscall.Signal) error {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return nil // closed: released
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return nil // closed: released
	}
	return ignoreGone(sent)
}

// interrupt wakes wait.
func (l *pidLeader) interrupt() { _ = l.file.SetReadDeadline(time.Unix(1, 0)) }

// A process that has ended but that its parent, somebody else, has not yet
// waited for is looked at again after a pause: most parents are about to wait.
const (
	firstRecheck = 200 * time.Microsecond
	lastRecheck  = 50 * time.Millisecond
)

func (l *pidLeader) wait(done <-chan struct{}, late func()) (Exit, bool) {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return Exit{}, false
	}
	var exit Exit
	for pause := firstRecheck; ; pause = min(2*pause, lastRecheck) {
		var got bool
		err := raw.Read(func(fd uintptr) bool {
			if !readable(int(fd)) {
				return false
			}
			exit, got = l.end(int(fd))
			return true
		})
		switch {
		case err != nil:
			return Exit{}, false
		case got:
			return exit, true
		case pause == lastRecheck:
			late()
		}
		select {
		case <-done:
			return Exit{}, false
		case <-time.After(pause):
		}
	}
}

// readable says whether the pidfd's process has ended.
func readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// end reads the status of an ended process: by wait when it is our child, which
// then is to be buried, from the pidfd when somebody else has reaped it, and from
// /proc before. false: it is a zombie that its parent has not waited for yet, and
// of which we may not know more.
func (l *pidLeader) end(pidfd int) (Exit, bool) {
	exit, ended, err := look(l.pid)
	switch {
	case err == nil && ended:
		l.dead.Store(true)
		return exit, true
	case err == nil:
		return Exit{}, false
	}
	if !reaped(pidfd) {
		return exitOfZombie(l.pid, pidfd)
	}
	return exitOfStranger(pidfd), true
}

func wait4(pid int, status *unix.WaitStatus) (int, error) {
	for {
		got, err := unix.Wait4(pid, status, unix.WNOHANG, nil)
		if err != unix.EINTR {
			return got, err
		}
	}
}

// exitOfStranger asks the kernel what became of a reaped process that was not
// our child (PIDFD_GET_INFO, Linux 6.15).
func exitOfStranger(pidfd int) Exit {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := unix.IoctlPidfdInfo(pidfd, &info)
	if err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
		return exitOf(unix.WaitStatus(info.Exit_code))
	}
	return unknownExit("it was no child of this process, and the kernel keeps no exit status for others (needs Linux 6.15)")
}

// reaped says whether the process's parent has waited for it.
func reaped(pidfd int) bool {
	return unix.PidfdSendSignal(pidfd, 0, nil, 0) == unix.ESRCH
}
