//go:build linux

package testnet_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/internal/testnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers on a host until the test ends.
func echo(t *testing.T, h *testnet.Host) (address string) {
	t.Helper()
	l, err := h.Listen()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// dial connects within a limit.
func dial(from *testnet.Host, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return from.Dial(ctx, address)
}

// answers tells whether what is sent on a connection comes back within a limit.
func answers(c net.Conn, limit time.Duration) bool {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return false
	}
	if _, err := c.Write([]byte{1}); err != nil {
		return false
	}
	n, _ := c.Read(make([]byte, 1))
	return n == 1
}

const (
	patience = 30 * time.Second // for what must come
	silence  = 300 * time.Millisecond
)

func TestHostsReachEachOther(t *testing.T) {
	n := testnet.New(t)
	a, b, c := n.Host("a"), n.Host("b"), n.Host("c")
	address := echo(t, b)
	open := func(from *testnet.Host) net.Conn {
		t.Helper()
		conn, err := dial(from, address, patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	fromA, fromC := open(a), open(c)
	for name, cut := range map[string]struct{ cut, mend func() }{
		"there":   {func() { n.Cut(a, b) }, func() { n.Mend(a, b) }},
		"back":    {func() { n.Cut(b, a) }, func() { n.Mend(b, a) }},
		"muted":   {a.Mute, a.Rejoin},
		"deaf":    {a.Deafen, a.Rejoin},
		"alone":   {a.Isolate, a.Rejoin},
		"no link": {a.Unplug, a.Plug},
	} {
		if !answers(fromA, patience) {
			t.Fatalf("before %s: no answer", name)
		}
		cut.cut()
		if answers(fromA, silence) {
			t.Errorf("%s: an answer all the same", name)
		}
		if !answers(fromC, patience) {
			t.Errorf("%s: another host is cut off too", name)
		}
		if conn, err := dial(a, address, silence); err == nil {
			_ = conn.Close()
			t.Errorf("%s: a new connection", name)
		}
		cut.mend()
		fromA = open(a)
	}
}

func TestFlapEndsWell(t *testing.T) {
	n := testnet.New(t)
	a, b := n.Host("a"), n.Host("b")
	address := echo(t, b)
	stop := a.Flap(20 * time.Millisecond)
	if conn, err := dial(a, address, patience); err == nil { // it gets through at times
		_ = conn.Close()
	} else {
		t.Error(err)
	}
	stop()
	conn, err := dial(a, address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if !answers(conn, patience) {
		t.Error("no answer when the flapping is over")
	}
}

// A program on a host sees that host, and not the machine.
func TestCommandIsOnTheHost(t *testing.T) {
	n := testnet.New(t)
	n.Host("other")
	h := n.Host("h")
	out, err := h.Command("ip", "-brief", "address").CombinedOutput()
	if err != nil || !strings.Contains(string(out), h.Addr()) || strings.Count(string(out), "\n") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}
