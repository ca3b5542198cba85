//go:build linux

package acceptance_test

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sockets are the internet sockets of a process that take something in: TCP that
// listens, and any UDP.
func sockets(t *testing.T, pid int) (addresses []string) {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("cannot look at process %d: %v", pid, err)
	}
	own := map[string]bool{}
	for _, fd := range fds {
		link, _ := os.Readlink(fd) // it may be closed by now
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue // this host has none of these
		}
		for line := range strings.Lines(string(text)) {
			const listening = "0A"
			f := strings.Fields(line)
			if len(f) > 9 && own[f[9]] && (f[3] == listening || strings.HasPrefix(table, "udp")) {
				addresses = append(addresses, hostPort(t, f[1]))
			}
		}
	}
	return addresses
}

// hostPort reads an address as the kernel's tables have it.
func hostPort(t *testing.T, s string) string {
	t.Helper()
	host, port, _ := strings.Cut(s, ":")
	ip, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil {
		t.Fatalf("cannot read address %q", s)
	}
	for i := 0; i+4 <= len(ip); i += 4 {
		slices.Reverse(ip[i : i+4])
	}
	return net.JoinHostPort(net.IP(ip).String(), strconv.FormatUint(n, 10))
}

// Issue 5: one profile with components and a controller is a whole fleet in one
// process: its batches are durable, its primary is elected, and nothing listens
// but what the profile says.
func TestEmbeddedFleetListensWhereItSaysOnly(t *testing.T) {
	t.Parallel()
	p := start(t, "controller: {listen: 127.0.0.1:0}\ncomponents: {once: {command: [/bin/sleep, \"600\"], runOn: primary}}\n")
	p.running("once")
	s := p.status()
	if s.Connector.Endpoint != "embedded" || !s.Connector.Primary || s.Controller.Targets != 1 {
		t.Errorf("connector %+v, controller %+v", s.Connector, s.Controller)
	}
	p.put("batch.yaml", "commands: [{type: RESTART, payload: {names: [once]}}]\n")
	before := p.pids("once")
	p.must("--controller", "http://"+s.Controller.Listen, "--target", s.Connector.Target, "batch", "run", "batch.yaml")
	if after := p.pids("once"); after["once"] == before["once"] {
		t.Error("the batch had no effect")
	}
	if got := sockets(t, p.cmd.Process.Pid); !slices.Equal(got, []string{s.Controller.Listen}) {
		t.Errorf("peerd listens at %v, want %s only", got, s.Controller.Listen)
	}
	if keeper := p.keeperPid(); keeper != 0 {
		if got := sockets(t, keeper); len(got) != 0 {
			t.Errorf("the keeper listens at %v", got)
		}
	}
}
