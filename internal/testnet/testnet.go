//go:build linux

package testnet

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Network is a router with hosts.
type Network struct {
	tb     testing.TB
	router *space
	hosts  int
}

// Host is one host of a Network.
type Host struct {
	n    *Network
	name string
	port string // the router's end of its cable
	addr string
	in   *space
	cuts map[string]bool // the router's rules about it, and only it
}

// space is a network namespace, held by a process.
type space struct {
	pid   int
	holds *exec.Cmd
	hand  io.Closer // as long as it is open the process lives
}

// New makes an empty network that lasts as long as the test.
func New(tb testing.TB) *Network {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("hosts in network namespaces need root")
	}
	for _, program := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			tb.Skipf("hosts in network namespaces need the program %s (iproute2, util-linux)", program)
		}
	}
	n := &Network{tb: tb, router: newSpace(tb)}
	for _, needed := range []string{
		"echo 1 > /proc/sys/net/ipv4/ip_forward",
		"ip link add probe type veth peer name other && ip link del probe",
		"ip rule add from 10.9.9.9 blackhole && ip rule del from 10.9.9.9 blackhole",
	} {
		if err := n.try(n.router, "sh", "-c", needed); err != nil {
			tb.Skipf("this place has no networks for tests: %v", err)
		}
	}
	return n
}

// newSpace makes a namespace; where that is not allowed, the test is skipped.
func newSpace(tb testing.TB) *space {
	tb.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	hand, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Skipf("this place allows no network namespaces: %v", err)
	}
	s := &space{pid: cmd.Process.Pid, holds: cmd, hand: hand}
	tb.Cleanup(func() {
		_ = s.hand.Close()
		_ = s.holds.Wait()
	})
	return s
}

// inside is a command line in a namespace.
func (s *space) inside(args ...string) []string {
	return append([]string{"nsenter", "--target", strconv.Itoa(s.pid), "--net", "--"}, args...)
}

// run runs a program in a namespace. That it fails is an error of the test; it
// may be called from any goroutine.
func (n *Network) run(in *space, args ...string) {
	n.tb.Helper()
	if err := n.try(in, args...); err != nil {
		n.tb.Error(err)
	}
}

func (n *Network) try(in *space, args ...string) error {
	argv := in.inside(args...)
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", args, err, out)
	}
	return nil
}

func (n *Network) ip(in *space, line string) {
	n.tb.Helper()
	n.run(in, append([]string{"ip"}, strings.Fields(line)...)...)
}

// Host adds a host. It reaches all others.
func (n *Network) Host(name string) *Host {
	n.tb.Helper()
	n.hosts++
	h := &Host{n: n, name: name, port: "port" + strconv.Itoa(n.hosts), addr: fmt.Sprintf("10.0.%d.2", n.hosts), in: newSpace(n.tb), cuts: map[string]bool{}}
	n.ip(n.router, fmt.Sprintf("link add %s type veth peer name cable netns %d", h.port, h.in.pid))
	n.ip(n.router, fmt.Sprintf("address add 10.0.%d.1/24 dev %s", n.hosts, h.port))
	n.ip(n.router, "link set "+h.port+" up")
	n.ip(h.in, "link set lo up")
	n.ip(h.in, "address add "+h.addr+"/24 dev cable")
	h.connect()
	return h
}

// connect has the host use its cable. A route is lost with the link.
func (h *Host) connect() {
	h.n.tb.Helper()
	h.n.ip(h.in, "link set cable up")
	h.n.ip(h.in, "route replace default via "+strings.TrimSuffix(h.addr, "2")+"1")
}

// Name is the name the host was given; Addr is its address.
func (h *Host) Name() string { return h.name }

// Addr is the host's address.
func (h *Host) Addr() string { return h.addr }

// Inside is the command line that runs another one on the host, with the same
// process ID.
func (h *Host) Inside(args ...string) []string { return h.in.inside(args...) }

// Command is a program on the host.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	argv := h.Inside(append([]string{name}, args...)...)
	return exec.Command(argv[0], argv[1:]...)
}

// Cut has everything vanish that from sends to to. The other direction is
// another cut.
func (n *Network) Cut(from, to *Host) {
	n.tb.Helper()
	n.ip(n.router, fmt.Sprintf("rule add from %s to %s blackhole", from.addr, to.addr))
}

// Mend takes a Cut back.
func (n *Network) Mend(from, to *Host) {
	n.tb.Helper()
	n.ip(n.router, fmt.Sprintf("rule del from %s to %s blackhole", from.addr, to.addr))
}

// Isolate has everything vanish from and to the host.
func (h *Host) Isolate() {
	h.n.tb.Helper()
	h.Mute()
	h.Deafen()
}

// Mute has everything vanish that the host sends.
func (h *Host) Mute() { h.cut("from") }

// Deafen has everything vanish that is sent to the host.
func (h *Host) Deafen() { h.cut("to") }

func (h *Host) cut(which string) {
	h.n.tb.Helper()
	if !h.cuts[which] {
		h.cuts[which] = true
		h.n.ip(h.n.router, "rule add "+which+" "+h.addr+" blackhole")
	}
}

// Rejoin takes Isolate, Mute and Deafen back.
func (h *Host) Rejoin() {
	h.n.tb.Helper()
	for which := range h.cuts {
		h.n.ip(h.n.router, "rule del "+which+" "+h.addr+" blackhole")
		delete(h.cuts, which)
	}
}

// Unplug takes the host's cable out: it has no network, and knows.
func (h *Host) Unplug() {
	h.n.tb.Helper()
	h.n.ip(h.n.router, "link set "+h.port+" down")
	h.n.ip(h.in, "link set cable down")
}

// Plug puts the cable back.
func (h *Host) Plug() {
	h.n.tb.Helper()
	h.n.ip(h.n.router, "link set "+h.port+" up")
	h.connect()
}

// Flap isolates the host and lets it rejoin, each for half of a period, again
// and again until stop is called; then it has rejoined.
func (h *Host) Flap(period time.Duration) (stop func()) {
	h.n.tb.Helper()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(period / 2)
		defer tick.Stop()
		for away := true; ; away = !away {
			if away {
				h.Isolate()
			} else {
				h.Rejoin()
			}
			select {
			case <-tick.C:
			case <-end:
				h.Rejoin()
				return
			}
		}
	}()
	return func() {
		close(end)
		<-done
	}
}

// Network is the network that the host belongs to.
func (h *Host) Network() *Network { return h.n }
