//go:build linux

package acceptance_test

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inflict makes system calls of a running process, and of what it starts as
// peerd itself, end with an error (or whatever else strace can do to them)
// until the returned function is called.
func (p *peerd) inflict(pid int, calls, how string) (end func()) {
	p.t.Helper()
	tracer := exec.Command("strace", "-f", "-qq", "-b", "execve", "-o", "/dev/null",
		"-e", "trace="+calls, "-e", "inject="+calls+":"+how, "-p", strconv.Itoa(pid))
	if err := tracer.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		_ = tracer.Process.Signal(syscall.SIGINT)
		stuck := time.AfterFunc(letGo, func() { _ = tracer.Process.Kill() })
		_ = tracer.Wait()
		stuck.Stop()
	}
	p.t.Cleanup(end)
	p.waitFor("it is traced", func() bool { return tracerOf(pid) != 0 })
	return end
}

// needsStrace skips where nobody can be traced.
func needsStrace(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("strace", "-f", "-b", "execve", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("needs strace 5.7 or later, and leave to use it: %v: %s", err, out)
	}
	// To trace who runs already needs more leave than to trace one's own child.
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	tracer := exec.Command("strace", "-o", "/dev/null", "-p", strconv.Itoa(other.Process.Pid))
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	for tracerOf(other.Process.Pid) == 0 && alive(tracer.Process.Pid) {
		<-time.After(time.Millisecond)
	}
	may := tracerOf(other.Process.Pid) != 0
	_ = other.Process.Kill()
	_ = other.Wait()
	if err := tracer.Wait(); err != nil && !may {
		t.Skipf("needs leave to trace a process that runs already: %v", err)
	}
}

// suffers waits until status names a trouble with some words.
func (p *peerd) suffers(words ...string) {
	p.t.Helper()
	p.waitFor("status names "+strings.Join(words, ", "), func() bool {
		return slices.ContainsFunc(p.degraded(), func(reason string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(reason, w) })
		})
	})
}

// recovers waits until nothing is wrong any more, and logs how long it took.
func (p *peerd) recovers() {
	p.t.Helper()
	began := time.Now()
	var last []string
	defer func() {
		if len(last) > 0 {
			p.t.Logf("still: %q", last)
		}
	}()
	p.waitFor("the peer recovers", func() bool {
		last = p.degraded()
		return len(last) == 0
	})
	p.t.Logf("recovered after %v", time.Since(began).Round(10*time.Millisecond))
}
