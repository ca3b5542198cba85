//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/journal"
)

// A rolling restart goes on to the next replica only when the one before is
// healthy, and stops at the first that is not.
func TestARollingRestartIsGatedByHealth(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {workingDirectory: .}
components:
  web: {command: [/bin/sleep, "600"], replicas: 3, ready: {startSeconds: 10ms},
    health: {exec: [/usr/bin/test, "!", -e, sick], interval: 50ms, timeout: 5s, failures: 1, onFailure: none}}
`)
	names := []string{"web#1", "web#2", "web#3"}
	p.running(names...)
	p.healthy(names...)
	before := p.last()
	p.must("restart", "--rolling", "web#1", "web#2", "web#3")
	if got := strings.Join(p.milestones(before, names...), " "); got != "-web#1 +web#1 -web#2 +web#2 -web#3 +web#3" {
		t.Errorf("order: %s", got)
	}
	p.put("sick", "")
	if r := p.ccpc("restart", "--rolling", "web#1", "web#2", "--timeout", "1s"); r.code != 4 {
		t.Errorf("a replica that is not healthy: %v", r)
	}
	if i := p.of("web#2"); i.Generation != 2 {
		t.Errorf("the next one was restarted all the same: %v", i)
	}
}

func TestAnInstanceThatOutgrowsItsMemoryIsRestarted(t *testing.T) {
	t.Parallel()
	const command = "[ -e once ] && exec sleep 600; touch once; x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo ${#x}; sleep 600; echo $x"
	p := start(t, `
defaults: {workingDirectory: .}
components: {a: {command: `+script(strings.ReplaceAll(command, "${#x}", "grown"))+`, resources: {maxMemoryRestart: 30MiB}, restart: {delay: 10ms}}}
`)
	p.generation("a", 2)
	history := p.history("a")
	why, ok := find(history, func(r record) bool { return strings.Contains(r.Detail, "maxMemoryRestart") })
	if !ok || why.Cause.String() != "health" {
		t.Errorf("why it was restarted: %+v", history)
	}
}

// A run that is due while the last one lives is left out; a failed run is
// followed by the next.
func TestAScheduleDoesNotOverlap(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {workingDirectory: .}
components:
  long: {command: [/bin/sh, -c, "sleep 2.5; exit 3"], schedule: "@every 1s"}
`)
	p.until("long", "has run twice", func(i instance) bool { return i.Generation == 2 && i.Status == "failed" })
	p.must("stop", "long")
	lives := false
	for _, r := range p.history("long") {
		switch {
		case r.Detail == "spawned" && lives:
			t.Errorf("two runs at a time: %+v", r)
		case r.Detail == "spawned":
			lives = true
		case r.Exit != nil:
			lives = false
		}
	}
	if r, ok := find(p.history("long"), func(r record) bool { return strings.HasPrefix(r.By, "schedule ") }); !ok || r.Generation != 1 {
		t.Errorf("who has started it: %+v", r)
	}
}

// Runs that fell due while no peerd was there are left out, or made up for once,
// as the profile says. That it was away for a day is told by its journal.
func TestRunsMissedWhilePeerdWasAway(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {command: [/bin/true], schedule: "@every 10h"}
components:
  skips: {}
  once: {missedRuns: once}
  unwanted: {missedRuns: once}
  new: {missedRuns: once, enabled: false}
`)
	p.waitFor("it knows when they are due", func() bool {
		return countRows(p.timings(), func(r timing) bool { return r.NextStartAt != nil && time.Until(*r.NextStartAt) > 9*time.Hour }) == 3
	})
	p.must("stop", "unwanted")
	p.signal(syscall.SIGTERM)
	p.over()
	p.backdateSchedules("@every 10h", 24*time.Hour)
	p.write(`
defaults: {command: [/bin/true], schedule: "@every 10h"}
components:
  skips: {}
  once: {missedRuns: once}
  unwanted: {missedRuns: once}
  new: {missedRuns: once}
`)
	p.run()
	p.ready()
	p.is("once", "completed")
	p.waitFor("the rest is due in ten hours again", func() bool {
		return countRows(p.timings(), func(r timing) bool { return r.NextStartAt != nil && time.Until(*r.NextStartAt) > 9*time.Hour }) == 4
	})
	for name, i := range p.ps() {
		if ran := i.Generation > 0; ran != (name == "once") || i.Generation > 1 {
			t.Errorf("%s: %v", name, i)
		}
	}
	if r, ok := find(p.history("once"), func(r record) bool { return r.By == "schedule @every 10h, missed" }); !ok {
		t.Errorf("who has started it: %+v", r)
	}
}

// backdateSchedules lets the journal of a peer that is away say that it has been
// away for so long.
func (p *peerd) backdateSchedules(schedule string, away time.Duration) {
	p.t.Helper()
	j, err := journal.Open(p.path("state"), journal.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer j.Close()
	for _, name := range []string{"skips", "once", "unwanted"} {
		stamp := fmt.Sprintf(`{"schedule": %q, "at": %q}`, schedule, time.Now().Add(-away).Format(time.RFC3339))
		if err := j.Put("schedules/acc/"+name, []byte(stamp)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func countRows(rows []timing, is func(timing) bool) (n int) {
	for _, r := range rows {
		if is(r) {
			n++
		}
	}
	return n
}

// A change of a watched file restarts.
func TestAWatchedFileRestarts(t *testing.T) {
	t.Parallel()
	p := prepare(t, `components: {a: {command: [/bin/sleep, "600"], watch: [./src], ready: {startSeconds: 10ms}}}`)
	if err := os.MkdirAll(p.path("src/deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.run()
	p.ready()
	p.running("a")
	p.put("src/deep/file", "one")
	p.generation("a", 2)
}

// Hooks run around start and stop, in order, within their budgets; a preStart
// that fails is a failed start.
func TestHooksAroundStartAndStop(t *testing.T) {
	t.Parallel()
	note := func(word string) string { return script("echo " + word + " >>steps") }
	p := start(t, `
defaults: {workingDirectory: ., restart: {policy: never}}
components:
  a: {command: `+script("echo runs >>steps; trap 'echo stops >>steps; exit 0' TERM; echo armed; while :; do sleep 0.05; done")+`, `+armed+`,
    hooks: {preStart: `+note("preStart")+`, postStart: `+note("postStart")+`, preStop: `+note("preStop")+`, postStop: `+note("postStop")+`}}
  b: {command: [/bin/sleep, "600"], hooks: {preStart: [/bin/false]}}
  c: {command: [/bin/sleep, "600"], componentStopWaitTime: 1s, hooks: {preStop: [/bin/sleep, "600"]}}
`)
	p.running("a", "c")
	steps := func() string {
		b, _ := os.ReadFile(p.path("steps"))
		return strings.Join(strings.Fields(string(b)), " ")
	}
	p.waitFor("postStart", func() bool { return steps() == "preStart runs postStart" })
	p.must("stop", "a", "c")
	if got := steps(); got != "preStart runs postStart preStop stops postStop" {
		t.Errorf("steps: %s", got)
	}
	p.within("the stop with a hook that hangs", p.stopTook("c"), 1e9)
	if i := p.is("b", "failed"); !strings.Contains(i.Reason, "preStart hook failed: exit code 1") {
		t.Errorf("b: %v", i)
	}
}

// A signal that an operator sends reaches the process itself, not its children,
// and changes nothing of what is wanted.
func TestASignalReachesTheProcessAlone(t *testing.T) {
	t.Parallel()
	const command = "sh -c \"trap 'echo child >>heard' HUP; echo armed; while :; do sleep 0.05; done\" & trap 'echo parent >>heard' HUP; while :; do sleep 0.05; done"
	p := start(t, `
defaults: {workingDirectory: ., `+armed+`}
components:
  a: {command: `+script(command)+`}
  off: {command: [/bin/sleep, "600"], enabled: false}
`)
	p.running("a")
	before := p.pids("a")
	heard := func() string {
		b, _ := os.ReadFile(p.path("heard"))
		return strings.Join(strings.Fields(string(b)), " ")
	}
	p.must("kill", "--signal", "hup", "a")
	p.waitFor("the first signal", func() bool { return heard() == "parent" })
	p.must("kill", "-s", "SIGHUP", "a")
	p.waitFor("the second signal", func() bool { return heard() == "parent parent" })
	if now := p.pids("a"); now["a"] != before["a"] || p.of("a").Desired != "up" {
		t.Errorf("was %v and is %v", before, p.of("a"))
	}
	if r := p.ccpc("kill", "--signal", "WHAT", "a"); r.code != 2 || !strings.Contains(r.stderr, "is no signal") {
		t.Errorf("a signal that does not exist: %v", r)
	}
	if r := p.ccpc("kill", "--signal", "HUP", "off"); r.code != 1 || !strings.Contains(r.stdout, "it has no process") {
		t.Errorf("an instance that does not run: %v", r)
	}
}

// A limit that changes live is in force for what runs.
func TestALimitChangesLive(t *testing.T) {
	t.Parallel()
	profile := func(pids int) string {
		return `
defaults: {workingDirectory: ., ready: {startSeconds: 10ms}}
components: {a: {command: ` + script("while :; do (sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait) 2>/dev/null; echo $? >forked; done") + `, resources: {pids: ` + strconv.Itoa(pids) + `}}}
`
	}
	p := start(t, profile(64))
	i := p.until("a", "runs, or cannot be bounded", func(i instance) bool { return i.Status == "running" || i.Status == "failed" })
	if strings.Contains(i.Reason, "cannot enforce") {
		t.Skip(i.Reason)
	}
	before := p.pids()
	forked := func() string { b, _ := os.ReadFile(p.path("forked")); return strings.TrimSpace(string(b)) }
	p.waitFor("it forks", func() bool { return forked() == "0" })
	p.write(profile(4))
	p.must("reload")
	p.waitFor("it can fork so much no longer", func() bool { return forked() != "0" && forked() != "" })
	p.write(profile(64))
	p.must("reload")
	p.waitFor("it forks again", func() bool { return forked() == "0" })
	if now := p.pids(); now["a"] != before["a"] {
		t.Errorf("were %v and are %v", before, now)
	}
	p.strike("a", syscall.SIGKILL)
	p.generation("a", 2)
}
