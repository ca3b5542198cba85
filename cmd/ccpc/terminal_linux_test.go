package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTerminal runs ccpc with a terminal at all three ends.
func TestTerminal(t *testing.T) {
	path, _, err := serve(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args, env, keys string
		want, without   string
	}{
		{"ps", "TERM=xterm", "", "\x1b[32mrunning\x1b[0m", ""},
		{"ps", "NO_COLOR=1", "", "ticker", "\x1b"},
		{"ps", "TERM=dumb", "", "ticker", "\x1b"},
		{"start ticker", "TERM=xterm", "", "ticker: running COMPONENT_LAUNCH", ""},
		{"start ticker --quiet", "TERM=xterm", "", "", "ticker"},
		{"top --interval 5ms", "TERM=xterm", "q", "peer demo  up 1m1s  1 running, 2 stopped, 1 waiting", ""},
		{"top", "TERM=xterm", "\x03", enterScreen, ""},
		{"top", "TERM=xterm", "q", leaveScreen, ""},
	} {
		t.Run(tc.args+" "+tc.env, func(t *testing.T) {
			out := onTerminal(t, tc.keys, []string{tc.env, "PEERD_SOCKET=" + path}, strings.Fields(tc.args)...)
			if !strings.Contains(out, tc.want) || tc.without != "" && strings.Contains(out, tc.without) {
				t.Errorf("printed %q; want %q and not %q", out, tc.want, tc.without)
			}
		})
	}
}

// onTerminal runs ccpc on a pseudo-terminal, types keys once it has printed
// something, and returns all it printed; it must exit with 0.
func onTerminal(t *testing.T, keys string, env []string, args ...string) string {
	t.Helper()
	host, user := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ccpc", args...)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "GORACE="+quickExit)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = user, user, user
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	user.Close()
	var out strings.Builder
	b := make([]byte, 4096)
	for {
		n, err := host.Read(b) // fails with EIO when ccpc has ended
		out.Write(b[:n])
		if err != nil {
			break
		}
		if keys != "" && strings.Contains(out.String(), "STATUS") {
			if _, err := io.WriteString(host, keys); err != nil {
				t.Fatal(err)
			}
			keys = ""
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
	return out.String()
}

// openTerminal returns the two ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (host, user *os.File) {
	t.Helper()
	host, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { host.Close() })
	if err := unix.IoctlSetPointerInt(int(host.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(host.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	user, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(user.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}); err != nil {
		t.Fatal(err)
	}
	return host, user
}
