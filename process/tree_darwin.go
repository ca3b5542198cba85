package process

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// groupTree is a process group; its number is not recycled while a member
// lives.
type groupTree struct{ leader int }

func (t groupTree) signal(sig syscall.Signal) error {
	_ = unix.Kill(-t.leader, unix.SIGCONT)
	if err := unix.Kill(-t.leader, sig); err != nil && err != unix.ESRCH && err != unix.EPERM {
		return err
	}
	return nil
}

func (t groupTree) kill() error { return t.signal(unix.SIGKILL) }

// members knows only whether there are any: the group stands for them.
func (t groupTree) members() ([]Member, error) {
	if unix.Kill(-t.leader, 0) == unix.ESRCH {
		return nil, nil
	}
	return []Member{{Pid: t.leader, Command: CommandName(t.leader), State: "?"}}, nil
}

const emptyPause = 20 * time.Millisecond

func (t groupTree) waitEmpty(done <-chan struct{}) bool {
	for unix.Kill(-t.leader, 0) != unix.ESRCH {
		select {
		case <-done:
			return false
		case <-time.After(emptyPause):
		}
	}
	return true
}

func (t groupTree) usage() (Usage, error) { return Usage{}, errors.ErrUnsupported }
func (t groupTree) release()              {}

// child is waited for by a goroutine that ends with it.
type child struct {
	tree  groupTree
	ended chan Exit
}

func newChild(pid int) child {
	c := child{groupTree{pid}, make(chan Exit, 1)}
	go func() {
		var status unix.WaitStatus
		for {
			switch _, err := unix.Wait4(pid, &status, 0, nil); err {
			case nil:
				c.ended <- exitOf(status)
				return
			case unix.EINTR:
			default:
				c.ended <- unknownExit(err.Error())
				return
			}
		}
	}()
	return c
}

func (c child) wait(done <-chan struct{}, _ func()) (Exit, bool) {
	select {
	case exit := <-c.ended:
		return exit, true
	case <-done:
		return Exit{}, false
	}
}

// signal goes to the group: its number, unlike a reaped leader's, is never a
// stranger's while a member lives.
func (c child) signal(sig syscall.Signal) error { return c.tree.signal(sig) }
func (c child) interrupt()                      {}
func (c child) close()                          {}
