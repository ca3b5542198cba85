package websocket_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// TestDialGivesUpAHostThatDoesNotAnswer dials a port whose queue is full, so that
// the kernel drops what comes, as it is with a host that has gone.
func TestDialGivesUpAHostThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	address := deaf(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := websocket.Dial(ctx, "http://"+address, websocket.DialOptions{})
	if ctx.Err() != nil || err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v, while the caller has time: %v", err, ctx.Err())
	}
}

// deaf is an address that no connection can be made to.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})); err != nil {
		t.Fatal(err)
	}
	if err := os.NewSyscallError("listen", syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
	for { // until one waits in vain
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
}
