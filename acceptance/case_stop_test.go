//go:build linux

package acceptance_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCase20ForceComesAtTheStopWaitTime(t *testing.T) {
	t.Parallel()
	p := start(t, `components: {g: {command: `+deafShell+`, `+armed+`, componentStopWaitTime: 2s}}`)
	p.running("g")
	p.must("stop", "g")
	p.within("the stop", p.stopTook("g"), 2*time.Second)
	if i := p.of("g"); i.LastExit.Signal != "SIGKILL" {
		t.Errorf("g: %v", i)
	}
}

// Two stops within one stop wait time: the second process gets all of its own.
func TestCase21ASecondStopHasItsFullGrace(t *testing.T) {
	t.Parallel()
	const command = "[ -e second ] && trap '' TERM; echo armed; exec sleep 600"
	p := start(t, `
defaults: {workingDirectory: .}
components: {a: {command: `+script(command)+`, `+armed+`, componentStopWaitTime: 2s}}
`)
	p.running("a")
	p.must("stop", "a")
	p.put("second", "")
	p.must("start", "a")
	p.must("stop", "a")
	p.within("the second stop", p.stopTook("a"), 2*time.Second)
}

// A child that ignores SIGTERM is gone by the deadline.
func TestCase20TheDeafAreGoneByTheDeadline(t *testing.T) {
	t.Parallel()
	goneByTheDeadline(t, deafShell, exit{Code: -1, Signal: "SIGKILL"}, 0)
}

// The leader ends when it is told to, a member of its tree ignores SIGTERM.
func TestCase22AMemberThatStaysIsGoneByTheDeadline(t *testing.T) {
	t.Parallel()
	goneByTheDeadline(t, script("(trap '' TERM; exec sleep 600) & trap 'exit 0' TERM; echo armed; while :; do sleep 0.05; done"), exit{}, 0)
}

// A grandchild in a session of its own, which ignores SIGTERM too.
func TestCase23AnEscapedSessionIsGoneByTheDeadline(t *testing.T) {
	t.Parallel()
	goneByTheDeadline(t, script("(setsid sh -c \"trap '' TERM; (sleep 600 &) ; exec sleep 600\" &); sleep 0.2; echo armed; exec sleep 600"),
		exit{Code: -1, Signal: "SIGTERM"}, 0)
}

// A stopped child is continued, so that it hears its signal.
func TestCase25AStoppedChildIsGoneByTheDeadline(t *testing.T) {
	t.Parallel()
	goneByTheDeadline(t, script("echo armed; exec sleep 600"), exit{Code: -1, Signal: "SIGTERM"}, syscall.SIGSTOP)
}

// goneByTheDeadline wants that nothing of an instance is left when its stop is
// over, in its time. before is a signal that it gets first.
func goneByTheDeadline(t *testing.T, command string, want exit, before syscall.Signal) {
	t.Helper()
	p := start(t, `
defaults: {componentStopWaitTime: 2s, `+armed+`}
components: {a: {command: `+command+`}}
`)
	p.running("a")
	if before != 0 {
		p.strike("a", before)
	}
	p.must("stop", "a")
	p.none()
	if i := p.of("a"); i.Status != "stopped" || *i.LastExit != want {
		t.Errorf("want %+v: %v", want, i)
	}
	if took := p.stopTook("a"); took > 2*time.Second+3*time.Second {
		t.Errorf("the stop took %v of 2s", took)
	}
}

// A fork bomb under its pids limit hurts nobody else and is gone by the
// deadline.
func TestAForkBombUnderItsLimit(t *testing.T) {
	t.Parallel()
	if !hasProgram("perl") {
		t.Skip("perl is not installed")
	}
	p := start(t, `
defaults: {componentStopWaitTime: 1s, restart: {policy: never}, `+armed+`}
components:
  bomb: {command: [perl, -e, "$SIG{TERM} = 'IGNORE'; $| = 1; print qq(armed\\n); while (1) { fork; select(undef, undef, undef, 0.01) }"], resources: {pids: 32}}
`)
	i := p.until("bomb", "runs, or cannot be bounded", func(i instance) bool { return i.Status == "running" || i.Status == "failed" })
	if strings.Contains(i.Reason, "cannot enforce") {
		t.Skip(i.Reason)
	}
	p.waitFor("it has spread", func() bool { return len(p.processes()) > 16 })
	p.must("stop", "bomb")
	if i := p.of("bomb"); i.Status != "stopped" || i.LastExit.Signal != "SIGKILL" {
		t.Errorf("bomb: %v", i)
	}
	if took := p.stopTook("bomb"); took > 4*time.Second {
		t.Errorf("its stop took %v of 1s", took)
	}
	p.none()
}

// The leader's end is seen although a detached grandchild holds its stdout.
func TestCase24AnOrphanOnStdoutDelaysNothing(t *testing.T) {
	t.Parallel()
	const command = "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n; (setsid sleep 600 &); [ $n -lt 3 ] && exit 5; exec sleep 601"
	p := start(t, `
defaults: {workingDirectory: .}
components: {a: {command: `+script(command)+`, ready: {startSeconds: 300ms}, restart: {delay: 1ms}}}
`)
	if i := p.generation("a", 3); *i.LastExit != (exit{Code: 5}) {
		t.Errorf("a: %v", i)
	}
	if left := p.processes(); len(left) != 2 {
		t.Errorf("%d processes: those of earlier generations live", len(left))
	}
}

// INITIATE_SHUTDOWN unanswered (the component is frozen, or ignores it) or
// undeliverable (its channel is severed): signal and force keep the time.
func TestCase45AShutdownThatCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {componentStopWaitTime: 2s}
components:
  frozen: {descriptor: '${DESCRIPTOR}', command: ['${SAMPLE}']}
  ignores: {ccp: true, command: ['${BAD}', ignores-stop]}
  severed: {ccp: true, command: ['${BAD}', severed]}
`)
	p.running("frozen", "ignores", "severed")
	p.strike("frozen", syscall.SIGSTOP)
	p.waitFor("the channel is severed", func() bool { return p.ccpc("report-state", "severed").code != 0 })
	p.must("stop", "--all")
	for _, name := range []string{"frozen", "ignores", "severed"} {
		if i := p.of(name); i.Status != "stopped" || i.LastExit == nil {
			t.Errorf("%s: %v", name, i)
		}
		if took := p.stopTook(name); took > 6*time.Second {
			t.Errorf("the stop of %s took %v of 2s", name, took)
		}
	}
	p.none()
}

// SIGHUP while the peer stops is ignored; a second SIGTERM hastens.
func TestCase46ASecondTermHastensAndAHangupDoesNot(t *testing.T) {
	t.Parallel()
	p := start(t, `components: {g: {command: `+deafShell+`, `+armed+`, componentStopWaitTime: 1h}}`)
	p.running("g")
	p.signal(syscall.SIGTERM)
	p.is("g", "stopping")
	p.write("components: {other: {command: [/bin/sleep, '600']}}")
	p.signal(syscall.SIGHUP)
	p.signal(syscall.SIGHUP)
	if i := p.of("g"); i.Status != "stopping" {
		t.Errorf("a hangup has done something: %v", i)
	}
	p.signal(syscall.SIGTERM)
	if status := p.over(); status.ExitStatus() != 0 {
		t.Errorf("peerd ended with %s", describe(status))
	}
	p.none()
	if strings.Contains(p.log(), "profile applied") {
		t.Errorf("a profile was applied while the peer stopped:\n%s", p.log())
	}
}
