package process

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// waitEmpty is told by the kernel: cgroup.events changes when the last process
// of a cgroup and of those below it has ended. Only a tree that outlives its
// leader costs the two fds. Without them (EMFILE) it looks by timer.
func (t *unifiedTree) waitEmpty(done <-chan struct{}) bool {
	events, err := os.Open(filepath.Join(t.group.unified, "cgroup.events"))
	if err != nil {
		return t.roster.waitEmpty(done)
	}
	defer events.Close()
	if !populated(events) {
		return true
	}
	poll, err := pollPriority(events)
	if err != nil {
		return t.roster.waitEmpty(done)
	}
	defer poll.Close()
	stop := afterDone(done, func() { _ = poll.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for pause := firstDoubt; ; pause = min(2*pause, lastDoubt) {
		_ = poll.SetReadDeadline(time.Now().Add(pause))
		select {
		case <-done:
			return false
		default:
		}
		if waitUnpopulated(poll, events) || !populated(events) {
			return true
		}
	}
}

// Somebody else may remove the cgroup before the kernel has told that it is
// empty; then it never does, and only a look helps.
const (
	firstDoubt = 100 * time.Millisecond
	lastDoubt  = 10 * time.Second
)

// waitUnpopulated reads the events anew whenever the poller says that they
// have changed; false: the deadline came first.
func waitUnpopulated(poll, events *os.File) bool {
	raw, err := poll.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Read(func(fd uintptr) bool {
		if !populated(events) {
			return true
		}
		_, _ = unix.EpollWait(int(fd), make([]unix.EpollEvent, 1), 0)
		return false
	})
	return err == nil
}

// populated reads a cgroup.events file; one that cannot be read any more
// belongs to a removed cgroup, which is empty.
func populated(events *os.File) bool {
	var text [128]byte
	n, _ := events.ReadAt(text[:], 0)
	return bytes.Contains(text[:n], []byte("populated 1"))
}

// pollPriority makes an epoll fd that becomes readable when the kernel changes
// the file: the runtime's own poller does not wait for EPOLLPRI.
func pollPriority(f *os.File) (*os.File, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	event := unix.EpollEvent{Events: unix.EPOLLPRI, Fd: int32(f.Fd())}
	err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, int(f.Fd()), &event)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "changes of "+f.Name()), nil
}

// afterDone runs f once done is closed. The returned stop ends the watch and
// waits for it.
func afterDone(done <-chan struct{}, f func()) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			f()
		case <-over:
		}
	}()
	return func() { close(over); <-ended }
}
