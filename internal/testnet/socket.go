//go:build linux

package testnet

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Listen listens on a TCP port of the host that the kernel chooses.
func (h *Host) Listen() (l net.Listener, err error) {
	err = h.enter(func() error {
		l, err = net.Listen("tcp4", h.addr+":0")
		return err
	})
	return l, err
}

// Dial connects from the host to an address and port.
func (h *Host) Dial(ctx context.Context, address string) (c net.Conn, err error) {
	err = h.enter(func() error {
		var d net.Dialer
		c, err = d.DialContext(ctx, "tcp4", address)
		return err
	})
	return c, err
}

// enter calls f on a thread that is in the host's namespace: what sockets f
// makes are the host's for good.
func (h *Host) enter(f func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer own.Close()
	other, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", h.in.pid))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("cannot enter host %s: %w", h.name, err)
	}
	defer func() {
		if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // else the thread ends with the goroutine
		}
	}()
	return f()
}
