//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// point is a moment at which a process is killed: when one of its threads is
// about to make some system call for the nth time.
type point struct {
	campaign string
	call     string // one or several, with commas between
	n        int
}

// String is what PEERD_POINT takes.
func (p point) String() string { return fmt.Sprintf("%s:%s:%d", p.campaign, p.call, p.n) }

// parsePoint reads what String wrote.
func parsePoint(text string) (p point, err error) {
	f := strings.Split(text, ":")
	if len(f) != 3 {
		return p, fmt.Errorf("PEERD_POINT=%s: want CAMPAIGN:CALL:N", text)
	}
	p.campaign, p.call = f[0], f[1]
	if p.n, err = strconv.Atoi(f[2]); err != nil {
		return p, fmt.Errorf("PEERD_POINT=%s: want CAMPAIGN:CALL:N: %w", text, err)
	}
	return p, nil
}

// tracer is a strace that kills whom it traces at a point. What those execute
// is not traced.
type tracer struct {
	victim int       // whom it traces
	file   string    // where it writes what it saw
	cmd    *exec.Cmd // nil: it is nobody's child
	id     torture.ID
}

// killAt is the command line of a tracer.
func killAt(p point, file string) []string {
	return []string{
		"strace", "-f", "-b", "execve", "-o", file, "-e", "trace=" + p.call,
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", p.call, p.n),
	}
}

// bear starts peerd with a tracer at it from its birth.
func (x *tortured) bear(p point) *tracer {
	x.t.Helper()
	tr := &tracer{file: x.path("strace")}
	_ = os.Remove(tr.file)
	// With -D it is strace that leaves: peerd is the child.
	x.wrap = append([]string{"strace", "-D"}, killAt(p, tr.file)[1:]...)
	x.run()
	x.wrap = nil
	tr.victim = x.cmd.Process.Pid
	x.soon("peerd is traced", func() bool {
		if pid := tracerOf(x.cmd.Process.Pid); pid != 0 {
			start, _ := torture.StartOf(pid)
			tr.id = torture.ID{Pid: pid, Start: start}
			return true
		}
		return x.isOver()
	})
	return tr
}

// trace puts a tracer at a process.
func (x *tortured) trace(pid int, p point) *tracer {
	x.t.Helper()
	tr := &tracer{victim: pid, file: x.path("strace")}
	_ = os.Remove(tr.file)
	argv := append(killAt(p, tr.file), "-p", strconv.Itoa(pid))
	tr.cmd = exec.Command(argv[0], argv[1:]...)
	if err := tr.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	start, _ := torture.StartOf(tr.cmd.Process.Pid)
	tr.id = torture.ID{Pid: tr.cmd.Process.Pid, Start: start}
	x.soon("the process is traced", func() bool { return tracerOf(pid) != 0 || !alive(pid) })
	return tr
}

// fired reports whether somebody was killed at the point.
func (tr *tracer) fired() bool {
	text, _ := os.ReadFile(tr.file)
	return strings.Contains(string(text), "+++ killed by SIGKILL +++")
}

// killed reports whether a process was killed at the point.
func (tr *tracer) killed(pid int) bool {
	text, _ := os.ReadFile(tr.file)
	return strings.Contains(string(text), fmt.Sprintf("%d +++ killed by SIGKILL +++", pid))
}

// letGo is how long strace may take to end; it may wait for ever for a child
// that was just being born.
const letGo = time.Second

// end has the tracer let go of whom it traces. One whose victim is dead ends by
// itself, and is better not disturbed.
func (x *tortured) end(tr *tracer) {
	x.t.Helper()
	if tr.id.Start == 0 {
		return // it was over before it was seen
	}
	if tr.lives() && alive(tr.victim) {
		_ = syscall.Kill(tr.id.Pid, syscall.SIGINT)
	}
	for deadline := time.Now().Add(letGo); tr.lives(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(tr.id.Pid, syscall.SIGKILL)
			break
		}
	}
	if tr.cmd != nil {
		_ = tr.cmd.Wait()
	}
	x.soon("strace ends", func() bool { return !tr.lives() })
}

func (tr *tracer) lives() bool { return torture.Lives(tr.id) }

// tracerOf is who traces a process, 0 for nobody.
func tracerOf(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if tracer, ok := strings.CutPrefix(line, "TracerPid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(tracer))
			return n
		}
	}
	return 0
}
