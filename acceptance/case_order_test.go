//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// The numbers are those of docs/supervision-cases.md.

func TestCase01HealthyNeverSoTheDependentNeverRuns(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  b: {command: [/bin/sleep, "600"], health: {exec: [/bin/false], interval: 50ms, timeout: 5s, onFailure: none}}
  a: {command: [/bin/sleep, "600"], dependsOn: {b: healthy}}
`)
	p.running("b")
	r := p.ccpc("start", "a", "--timeout", "1s")
	if r.code != 4 || !strings.Contains(r.stdout+r.stderr, "waiting for b to be healthy") {
		t.Errorf("want exit code 4 and what it waits for: %v", r)
	}
	if i := p.of("a"); i.Status != "waiting" || !strings.Contains(i.Reason, "b to be healthy") {
		t.Errorf("a: %v", i)
	}
	if launches(p.history("a")) != 0 {
		t.Errorf("a was launched: %+v", p.history("a"))
	}
}

func TestCase02CompletedWithAFailureSkipsTheDependent(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  bad: {command: [/bin/false], oneShot: true, restart: {policy: never}}
  good: {command: [/bin/true], oneShot: true}
  skipped: {command: [/bin/sleep, "600"], dependsOn: {bad: completed}}
  follows: {command: [/bin/sleep, "600"], dependsOn: {good: completed}}
`)
	p.is("bad", "failed")
	p.is("good", "completed")
	p.running("follows")
	i := p.until("skipped", "knows why", func(i instance) bool { return strings.Contains(i.Reason, "exit code 1") })
	if i.Status != "waiting" || !strings.Contains(i.Reason, "bad") || launches(p.history("skipped")) != 0 {
		t.Errorf("skipped: %v", i)
	}
}

func TestCase03ACycleOfTwentyIsRefusedByName(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	body.WriteString("components:\n")
	for n := range 20 {
		fmt.Fprintf(&body, "  c%02d: {command: [/bin/sleep, '600'], dependsOn: [c%02d]}\n", n, (n+1)%20)
	}
	p := prepare(t, body.String())
	for _, verb := range []string{"validate", "run"} {
		r := p.exec("peerd", verb, p.profile)
		if r.code != 7 || !strings.Contains(r.stderr, "cycle") {
			t.Fatalf("peerd %s: %v", verb, r)
		}
		for n := range 20 {
			if !strings.Contains(r.stderr, fmt.Sprintf("c%02d", n)) {
				t.Errorf("peerd %s does not name c%02d: %s", verb, n, r.stderr)
			}
		}
	}
}

// An order said in two ways, or backwards in the file, is no cycle.
func TestCase04APseudoCycleIsAccepted(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  third: {command: [/bin/sleep, "600"], launchOrder: 2, dependsOn: {first: started, second: {condition: started, soft: true}}}
  second: {command: [/bin/sleep, "600"], launchOrder: 2, dependsOn: [first]}
  first: {command: [/bin/sleep, "600"], launchOrder: 1}
`)
	p.running("first", "second", "third")
	if got := strings.Join(p.milestones(0, "first", "second", "third"), " "); got != "+first +second +third" {
		t.Errorf("order: %s", got)
	}
}

// gated has an instance `a` that waits for `b`, which is up once the file `go`
// is there.
const gated = `
defaults: {workingDirectory: .}
components:
  b: {command: [/bin/sleep, "600"], ready: {exec: [/usr/bin/test, -e, go]}}
  a: {command: [/bin/sleep, "600"], dependsOn: [b]}
`

func TestCase05StopWhileWaitingIsAtOnceAndForGood(t *testing.T) {
	t.Parallel()
	p := start(t, gated)
	p.is("a", "waiting")
	p.must("stop", "a")
	if i := p.of("b"); i.Status != "starting" {
		t.Errorf("the stop has waited for b: %v", i)
	}
	p.put("go", "")
	p.running("b")
	if i := p.of("a"); i.Status != "stopped" || i.Generation != 0 {
		t.Errorf("a: %v", i)
	}
}

func TestCase06RestartsWhileWaitingGiveOneProcess(t *testing.T) {
	t.Parallel()
	p := start(t, gated)
	p.is("a", "waiting")
	p.must("restart", "a", "--no-wait")
	p.must("restart", "a", "--no-wait")
	p.put("go", "")
	p.running("a", "b")
	if n := launches(p.history("a")); n != 1 {
		t.Errorf("a was launched %d times", n)
	}
	if left := p.processes(); len(left) != 2 {
		t.Errorf("%d processes", len(left))
	}
}

func TestCase07AHardLinkTakesTheDependentDownFirst(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  b: {command: [/bin/sleep, "600"], restart: {delay: 1ms, jitter: 0}}
  a: {command: `+script("trap 'sleep 0.5; exit 0' TERM; echo armed; while :; do sleep 0.05; done")+`, dependsOn: [b], `+armed+`}
`)
	p.running("a", "b")
	before := p.last()
	p.strike("b", syscall.SIGKILL)
	p.generation("b", 2)
	p.generation("a", 2)
	steps := p.milestones(before, "a", "b")
	if got := strings.Join(steps, " "); got != "-b -a +b +a" {
		t.Errorf("order: %s, want b's end, then a down, and only then b and a up", got)
	}
	down, _ := find(p.history("a"), func(r record) bool { return r.To == lifecycle.Stopping })
	if down.Cause != lifecycle.CauseDependency || !strings.Contains(down.Detail, "b") {
		t.Errorf("why a went down: %+v", down)
	}
}

func TestCase08ASoftLinkLeavesTheDependentAlone(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  b: {command: [/bin/sleep, "600"], restart: {delay: 1ms, jitter: 0}}
  a: {command: [/bin/sleep, "600"], dependsOn: {b: {condition: started, soft: true}}}
`)
	p.running("a", "b")
	before := p.pids("a")["a"]
	p.strike("b", syscall.SIGKILL)
	p.generation("b", 2)
	p.must("stop", "b")
	p.must("start", "b")
	if now := p.pids("a")["a"]; now != before {
		t.Errorf("a was %v and is %v", before, now)
	}
}

// A dependency that recovers by itself is not noticed: who depends on it softly
// has nothing in its history, though its start did wait for the other.
func TestCase09ASmoothRecoveryIsNotSeen(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {workingDirectory: ., restart: {delay: 50ms, limit: {count: 100, within: 1s}}}
components:
  b: {command: [/bin/sleep, "600"], ready: {exec: [/usr/bin/test, -e, go]}, health: {exec: [/usr/bin/test, "!", -e, sick], interval: 50ms, timeout: 5s, failures: 1, startPeriod: 1ms}}
  a: {command: [/bin/sleep, "600"], dependsOn: {b: {condition: healthy, soft: true}}}
`)
	if i := p.is("a", "waiting"); !strings.Contains(i.Reason, "b to be healthy") {
		t.Errorf("a: %v", i)
	}
	p.put("go", "")
	p.running("a", "b")
	if got := strings.Join(p.milestones(0, "a", "b"), " "); got != "+b +a" {
		t.Errorf("order: %s", got)
	}
	was, pid := len(p.history("a")), p.of("a").Pid
	for n := range uint64(3) {
		p.strike("b", syscall.SIGKILL)
		p.generation("b", n+2)
	}
	p.put("sick", "")
	p.until("b", "is restarted, as its health is bad", func(i instance) bool { return i.Generation > 4 })
	if err := os.Remove(p.path("sick")); err != nil {
		t.Fatal(err)
	}
	p.healthy("b")
	if now := p.history("a"); len(now) != was || p.of("a").Pid != pid {
		t.Errorf("a has noticed: %+v", now[was:])
	}
}

func hasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
