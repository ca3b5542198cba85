package api

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
)

// Credentials are what the kernel says of a connection's other end, as it was
// when it connected.
type Credentials struct {
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary
	Pid    int      // 0: unknown, as over TCP
	Comm   string   // the process's name; "" unknown
}

// String is the form that histories show: "uid 0 pid 77 ccpc".
func (c Credentials) String() string {
	s := fmt.Sprintf("uid %d", c.UID)
	if c.Pid != 0 {
		s += fmt.Sprintf(" pid %d", c.Pid)
	}
	if c.Comm != "" {
		s += " " + c.Comm
	}
	return s
}

type credentialsKey struct{}

// withCredentials is an http.Server's ConnContext. A connection whose other end
// cannot be found out has no credentials and is refused later.
func withCredentials(ctx context.Context, c net.Conn) context.Context {
	var cred Credentials
	var err error
	switch c := c.(type) {
	case *net.UnixConn:
		cred, err = unixCredentials(c)
	case *net.TCPConn:
		cred, err = tcpCredentials(c.RemoteAddr().(*net.TCPAddr), c.LocalAddr().(*net.TCPAddr))
	default:
		return ctx
	}
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, credentialsKey{}, cred)
}

func credentialsFrom(ctx context.Context) (Credentials, bool) {
	c, ok := ctx.Value(credentialsKey{}).(Credentials)
	return c, ok
}

// comm is a process's name, for people to read: decisions never rest on it.
func comm(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.Map(printable, strings.TrimSpace(string(b)))
}

// printable keeps a name that anybody can choose from writing control bytes
// into a history.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}
