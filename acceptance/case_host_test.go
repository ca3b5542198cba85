//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// As PID 1 of a container: a thousand orphans become peerd's, none stays a
// zombie, and the exit codes of its own children stay right.
func TestCase48AsPID1(t *testing.T) {
	t.Parallel()
	const orphans = "n=0; while [ $n -lt 1000 ]; do (setsid sh -c 'exit 3' &); n=$((n+1)); done; exit 41"
	p := asPID1(t, `
defaults: {restart: {policy: never}, ready: {startSeconds: 1m}, componentStopWaitTime: 2s}
components:
  orphans: {command: `+script(orphans)+`}
  code: {command: [/bin/sh, -c, "sleep 0.5; exit 42"]}
  sleeper: {command: [/bin/sleep, "600"], ready: {startSeconds: 1ms}}
`)
	p.ready()
	for name, code := range map[string]int{"orphans": 41, "code": 42} {
		if i := p.is(name, "failed"); i.LastExit.Code != code {
			t.Errorf("%s: %v", name, i)
		}
	}
	p.running("sleeper")
	var status struct{ Pid int }
	p.decode(p.must("status", "-o", "json"), &status)
	if status.Pid != 1 {
		t.Errorf("peerd is pid %d in its namespace", status.Pid)
	}
	p.waitFor("no zombie is left", func() bool { return zombiesOf(p.cmd.Process.Pid) == 0 })
	// Signals reach a process 1 that heeds them, and its end is a container's.
	p.signal(syscall.SIGHUP)
	p.must("reload")
	p.running("sleeper")
	p.signal(syscall.SIGTERM)
	if status := p.over(); status.ExitStatus() != 0 {
		t.Errorf("peerd ended with %s", describe(status))
	}
	p.none()
}

// As PID 1, a group that ends the peer ends the container with 1, and nothing of
// it is left.
func TestCase48AsPID1AFailureIsTheExitCode(t *testing.T) {
	t.Parallel()
	p := asPID1(t, `
groups: {vital: {intensity: 1, period: 1h, onFailure: stopPeer}}
components:
  vital: {command: [/bin/sh, -c, "sleep 0.1; exit 3"], group: vital, restart: {delay: 10ms}}
  other: {command: `+script("(setsid sleep 600 &); exec sleep 601")+`}
`)
	if status := p.over(); status.ExitStatus() != 1 {
		t.Errorf("peerd ended with %s, want exit code 1", describe(status))
	}
	p.none()
}

// asPID1 runs a peer as the first process of a namespace.
func asPID1(t *testing.T, body string) *peerd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a pid namespace")
	}
	p := prepare(t, body)
	p.wrap = []string{"/bin/sh", "-c", `mount --make-rprivate / && mount -t proc proc /proc && exec "$@"`, "sh"}
	p.attr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	p.run()
	return p
}

// zombiesOf counts the children of a process that nobody has waited for.
func zombiesOf(parent int) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(b), ") ")
		if strings.HasPrefix(rest, fmt.Sprintf("Z %d ", parent)) {
			n++
		}
	}
	return n
}

// The same without a namespace: a peer is the subreaper of what its components
// orphan.
func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	p := start(t, `components: {a: {command: `+script("n=0; while [ $n -lt 200 ]; do (setsid sh -c 'exit 3' &); n=$((n+1)); done; echo done; exec sleep 600")+`, ready: {logLine: done}}}`)
	p.running("a")
	p.waitFor("no zombie is left", func() bool { return zombiesOf(p.cmd.Process.Pid) == 0 })
}
