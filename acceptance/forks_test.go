//go:build linux

package acceptance_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// daemonScript puts itself into the background and leaves a process that says
// up, and ends with 9 once there is a file `go`. The one in front goes when
// there is a file `leave`.
const daemonScript = "(setsid sh -c '(sleep 600; exit 1) & exec sh -c \"echo up; while [ ! -e go ]; do sleep 0.05; done; exit 9\"' &); while [ ! -e leave ]; do sleep 0.05; done; exit 0"

const forking = `
defaults: {workingDirectory: ., forks: true, restart: {policy: never}}
components:
  daemon: {command: ${DAEMON}, ready: {logLine: up}}
`

// A program that puts itself into the background is its daemon: pid, exit and
// stop are the daemon's.
func TestAProgramThatForks(t *testing.T) {
	t.Parallel()
	p := prepare(t, strings.ReplaceAll(forking, "${DAEMON}", script(daemonScript))+`
  refuses: {command: [/bin/sh, -c, "exit 4"]}
  nothing: {command: [/bin/true]}
`)
	p.put("leave", "")
	p.run()
	p.ready()
	p.running("daemon")
	if i := p.of("daemon"); !alive(i.Pid) || i.Generation != 1 {
		t.Errorf("daemon: %v", i)
	}
	if i := p.is("refuses", "failed"); i.LastExit.Code != 4 {
		t.Errorf("refuses: %v", i)
	}
	p.is("nothing", "completed")
	p.put("go", "")
	if i := p.is("daemon", "failed"); i.LastExit.Code != 9 {
		t.Errorf("daemon: %v", i)
	}
	p.none()
	if p.get("/readyz") != http.StatusOK {
		t.Error("the peer is not well")
	}
}

// The next peer goes on with the daemon of a program that forks, and sees how it
// ends.
func TestAProgramThatForksOutlivesPeerd(t *testing.T) {
	t.Parallel()
	p := prepare(t, strings.ReplaceAll(forking, "${DAEMON}", script(daemonScript)))
	p.put("leave", "")
	p.run()
	p.ready()
	p.running("daemon")
	before := p.pids()
	p.strikePeerd()
	p.run()
	p.ready()
	p.running("daemon")
	if now := p.pids(); now["daemon"] != before["daemon"] {
		t.Errorf("was %v and is %v", before, now)
	}
	p.put("go", "")
	p.unknownOr(p.is("daemon", "failed"), 9)
	p.none()
}

// One whose daemon ended while no peer was there has not succeeded: the exit of
// the process in front is not the daemon's.
func TestADaemonThatEndsWhilePeerdIsAway(t *testing.T) {
	t.Parallel()
	p := prepare(t, strings.ReplaceAll(forking, "${DAEMON}", script(daemonScript)))
	p.put("leave", "")
	p.run()
	p.ready()
	p.running("daemon")
	daemon := p.of("daemon").Pid
	p.strikePeerd()
	p.put("go", "")
	p.waitFor("the daemon ends", func() bool { return !alive(daemon) })
	p.run()
	p.ready()
	p.unknownOr(p.is("daemon", "failed"), 9)
	p.none()
}

// A peer that dies before the program has gone into the background: the next one
// follows it there.
func TestAProgramThatForksWhilePeerdIsAway(t *testing.T) {
	t.Parallel()
	p := prepare(t, strings.ReplaceAll(forking, "${DAEMON}", script(daemonScript)))
	p.run()
	p.ready()
	i := p.until("daemon", "has a process", func(i instance) bool { return i.Pid != 0 })
	p.strikePeerd()
	p.put("leave", "")
	p.waitFor("the process in front has gone", func() bool { return !alive(i.Pid) })
	p.run()
	p.ready()
	p.running("daemon")
	if now := p.of("daemon"); now.Pid == i.Pid || !alive(now.Pid) || now.Generation != 1 {
		t.Errorf("daemon: was %v and is %v", i, now)
	}
	p.must("stop", "daemon")
	p.none()
}

// strikePeerd kills peerd and waits for its end.
func (p *peerd) strikePeerd() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	p.over()
}

// unknownOr wants an exit code, or where nobody could see it, the reason.
func (p *peerd) unknownOr(i instance, code int) {
	p.t.Helper()
	if x := i.LastExit; x.Code != code && (x.Code != -1 || x.Reason == "") {
		p.t.Errorf("%v ended with %+v, want code %d, or -1 with the reason", i, *x, code)
	}
}
