//go:build linux

package acceptance_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// points are the system calls at which a process is killed, by who it is: each
// is a moment between two things that belong together.
var points = map[string][]string{
	"peerd": {
		"fdatasync", "pwrite64", "connect", "sendto", "write", "mkdirat", "unlinkat", "openat",
		"pidfd_open", "pidfd_send_signal", "wait4", "accept4",
	},
	"keeper": {
		"clone,clone3", "mknodat", "openat", "splice", "write", "renameat", "wait4", "mkdirat", "close", "pidfd_send_signal",
	},
}

// Issue 4: killed at the Nth of some system call, in start, stop, restart and
// recovery, nobody loses anything.
func TestKillPoints(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("strace", "-f", "-b", "execve", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("needs strace 5.7 or later, and leave to use it: %v: %s", err, out)
	}
	for victim, calls := range points {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			p := start(t, company)
			p.running("ticker", "steady", "toy", "slow", "other")
			before := p.pids("ticker", "steady")
			for round := range rounds(len(calls), 160*len(calls)) {
				call, when := calls[round%len(calls)], 1+rand.IntN(30)
				if victim == "peerd" {
					p.pointOfPeerd(call, when)
				} else {
					p.pointOfKeeper(call, when)
				}
				p.must("start", "toy", "slow", "other")
				p.running("ticker", "steady", "toy", "slow", "other")
				p.checkLives(before)
				if t.Failed() {
					t.Fatalf("after %s was killed at %s number %d", victim, call, when)
				}
			}
		})
	}
}

// injection makes strace kill whom it traces at a system call. What is started
// from there is not traced.
func injection(call string, when int) []string {
	return []string{
		"strace", "-f", "-b", "execve", "-o", "/dev/null", "-e", "trace=" + call,
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, when),
	}
}

// pointOfPeerd restarts peerd so that it is killed at a system call, in its
// recovery or in what it is asked for then, and restarts it again.
func (p *peerd) pointOfPeerd(call string, when int) {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	p.over()
	p.wrap = injection(call, when)
	p.run()
	p.wrap = nil
	p.waitFor("peerd is ready or over", func() bool { return p.isOver() || p.get("/readyz") == 200 })
	for range 3 {
		p.act()
	}
	if !p.isOver() { // the point was not reached
		var s struct{ Pid int }
		if r := p.ccpc("status", "-o", "json"); r.code == 0 {
			p.decode(r.stdout, &s)
			_ = syscall.Kill(s.Pid, syscall.SIGKILL)
		}
	}
	p.over()
	p.run()
	p.ready()
}

// tracerPatience is how long strace may take to let go; it may wait for ever for
// a child that was just being born.
const tracerPatience = 5 * time.Second

// pointOfKeeper has the keeper killed at a system call.
func (p *peerd) pointOfKeeper(call string, when int) {
	p.t.Helper()
	keeper := p.keeperPid()
	argv := append(injection(call, when), "-p", strconv.Itoa(keeper))
	tracer := exec.Command(argv[0], argv[1:]...)
	if err := tracer.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.waitFor("the keeper is traced", func() bool { return traced(keeper) || !alive(keeper) })
	for range 3 {
		p.act()
	}
	_ = tracer.Process.Signal(syscall.SIGINT) // it lets go of a keeper that was not killed
	stuck := time.AfterFunc(tracerPatience, func() { _ = tracer.Process.Kill() })
	_ = tracer.Wait()
	stuck.Stop()
	p.waitFor("there is a keeper", func() bool { now := p.keeperPid(); return now != 0 && alive(now) })
}

// act does something to the toys, whether or not anybody is there to do it.
func (p *peerd) act() {
	p.t.Helper()
	name := []string{"toy", "slow", "other"}[rand.IntN(3)]
	verb := []string{"restart", "stop", "start", "kill"}[rand.IntN(4)]
	p.ccpc(verb, name)
}

// traced reports whether somebody traces a process.
func traced(pid int) bool {
	for line := range strings.Lines(statusOf(pid)) {
		if tracer, ok := strings.CutPrefix(line, "TracerPid:"); ok {
			return strings.TrimSpace(tracer) != "0"
		}
	}
	return false
}

func statusOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return string(b)
}
