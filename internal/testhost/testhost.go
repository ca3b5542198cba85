//go:build linux

// Package testhost launches components for tests, the plainest way there is:
// no peer, no keeper, no policy.
//
//	bin := testhost.Build(t, "github.com/seed-04209a44/peerd/samples/CCPComponent")
//	host := &handshake.Host{Dir: testhost.Dir(t)}
//	child := testhost.Start(t, host.Env(), bin)
//	conn, err := host.Connect(ctx, child)
//
// A child that a test leaves running is killed at the test's end.
package testhost

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// builds are the programs built so far, by package.
var builds struct {
	mu   sync.Mutex
	dir  string
	done map[string]string
}

// Build compiles a main package, once for all tests of a run, and returns the
// path of the program. TestMain must call Clean at the end.
func Build(tb testing.TB, pkg string) string {
	tb.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if bin := builds.done[pkg]; bin != "" {
		return bin
	}
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "testhost")
		if err != nil {
			tb.Fatal(err)
		}
		builds.dir, builds.done = dir, make(map[string]string)
	}
	bin := filepath.Join(builds.dir, path.Base(pkg))
	if out, err := exec.Command("go", "build", "-o", bin, pkg).CombinedOutput(); err != nil {
		tb.Fatalf("cannot build %s: %v\n%s", pkg, err, out)
	}
	builds.done[pkg] = bin
	return bin
}

// Clean removes what Build has made.
func Clean() {
	if builds.dir != "" {
		_ = os.RemoveAll(builds.dir)
	}
}

// Dir makes a private folder whose path is short enough for a socket.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "ccp")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Child is a running component; it implements handshake.Process.
type Child struct {
	cmd    *exec.Cmd
	line   chan string // the first line of stdout; closed
	exited chan struct{}
	pipes  []*os.File // the reading ends

	out, err Log
}

// Start launches program with env, and with nothing else in its environment but
// PATH and HOME.
func Start(tb testing.TB, env []string, program string, args ...string) *Child {
	tb.Helper()
	c := &Child{cmd: exec.Command(program, args...), line: make(chan string, 1), exited: make(chan struct{})}
	c.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, out := pipe(tb)
	stderr, errw := pipe(tb)
	c.cmd.Stdout, c.cmd.Stderr = out, errw
	c.pipes = []*os.File{stdout, stderr}
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	_, _ = out.Close(), errw.Close()
	var wg sync.WaitGroup
	wg.Go(func() { c.read(stdout) })
	wg.Go(func() { _, _ = io.Copy(&c.err, stderr) })
	wg.Go(func() {
		_ = c.cmd.Wait()
		close(c.exited)
	})
	tb.Cleanup(func() {
		_ = syscall.Kill(-c.Pid(), syscall.SIGKILL)
		<-c.exited
		c.HangUp()
		wg.Wait()
		if tb.Failed() {
			tb.Logf("stdout of the component:\n%s\nstderr:\n%s", c.out.String(), c.err.String())
		}
	})
	return c
}

// read takes the first line, with a bound of 64 KiB, and keeps the rest.
func (c *Child) read(stdout io.Reader) {
	r := bufio.NewReaderSize(stdout, 64<<10)
	line, err := r.ReadSlice('\n')
	if err == nil || errors.Is(err, bufio.ErrBufferFull) {
		c.line <- strings.TrimSuffix(string(line), "\n")
	}
	close(c.line)
	_, _ = io.Copy(&c.out, r)
}

func pipe(tb testing.TB) (r, w *os.File) {
	tb.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	return r, w
}

// HangUp stops reading the component's output, as a host that dies does.
func (c *Child) HangUp() {
	for _, p := range c.pipes {
		_ = p.Close()
	}
}

// Pid implements handshake.Process.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// FirstLine implements handshake.Process.
func (c *Child) FirstLine(ctx context.Context) (string, error) {
	select {
	case line, ok := <-c.line:
		if !ok {
			return "", io.EOF
		}
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Exited implements handshake.Process.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Belongs implements handshake.Process.
func (c *Child) Belongs(pid int) bool { return pid == c.Pid() }

// Kill implements handshake.Process.
func (c *Child) Kill() { _ = c.cmd.Process.Kill() }

// Signal sends sig.
func (c *Child) Signal(sig syscall.Signal) error { return c.cmd.Process.Signal(sig) }

// Freeze stops the process as a debugger does, and returns when it stands still.
func (c *Child) Freeze(tb testing.TB) {
	tb.Helper()
	if err := c.Signal(syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, c.Pid(), nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		tb.Fatal(err)
	}
}

// ExitCode waits for the end, at most 10 s, and returns the exit code, -1
// after a signal.
func (c *Child) ExitCode(tb testing.TB) int {
	tb.Helper()
	select {
	case <-c.exited:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(10 * time.Second):
		tb.Fatalf("the component still runs after 10 s; stderr:\n%s", c.err.String())
		return 0
	}
}

// Stdout is what came after the first line; Stderr is all of it.
func (c *Child) Stdout() *Log { return &c.out }

// Stderr is the component's error output.
func (c *Child) Stderr() *Log { return &c.err }

// Log is output as it comes.
type Log struct {
	mu      sync.Mutex // guards all below
	text    bytes.Buffer
	changed chan struct{}
}

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(b)
}

// String returns all output so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Wait blocks until the output contains text, at most 10 s.
func (l *Log) Wait(tb testing.TB, text string) {
	tb.Helper()
	limit := time.After(10 * time.Second)
	for {
		l.mu.Lock()
		found := strings.Contains(l.text.String(), text)
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-limit:
			tb.Fatalf("%q did not appear in:\n%s", text, l.String())
		}
	}
}
