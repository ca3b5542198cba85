//go:build linux

package acceptance_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// While peerd stops, nothing starts any more: what did would be left behind.
func TestNothingStartsWhilePeerdStops(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  slow: {command: [/bin/sh, -c, "trap '' TERM; while :; do sleep 0.1; done"], componentStopWaitTime: 3s}
  quick: {command: [/bin/sleep, "600"]}
`)
	p.running("slow", "quick")
	p.signal(syscall.SIGTERM)
	p.waitFor("quick is down", func() bool { return p.ps()["quick"].Status == "stopped" })
	p.refused(1, "nothing starts any more", "start", "quick")
	p.refused(1, "nothing starts any more", "restart", "quick")
	p.over()
	if left := p.processes(); len(left) != 0 {
		t.Errorf("peerd left %v behind", left)
	}
}

// What a start pulls up is wanted up, and what was refused is not: the next peer
// knows both.
func TestTheNextPeerdKnowsWhatIsWanted(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  db: {command: [/bin/sleep, "600"]}
  web: {command: [/bin/sleep, "600"], dependsOn: [db]}
  other: {command: [/bin/sleep, "600"]}
  slow: {command: `+deafShell+`, `+armed+`, componentStopWaitTime: 1h}
`)
	p.running("db", "web", "other", "slow")
	p.must("stop", "web", "db", "other")
	p.must("start", "web")
	p.running("db")
	p.signal(syscall.SIGTERM)
	p.is("slow", "stopping")
	p.refused(1, "nothing starts any more", "start", "other")
	p.signal(syscall.SIGTERM)
	p.over()
	p.run()
	p.ready()
	p.running("db", "web", "slow")
	if i := p.of("other"); i.Status != "stopped" || i.Desired != "down" {
		t.Errorf("other: %v", i)
	}
	p.signal(syscall.SIGTERM)
	p.is("slow", "stopping")
	p.signal(syscall.SIGTERM) // for slow has an hour
	p.over()
}

// A peerd that was killed is no reason to run a task again, or to try again what
// has failed: the next one leaves both as they are. A changed profile is.
func TestWhatRestsOutlivesPeerd(t *testing.T) {
	t.Parallel()
	const profile = `
components:
  migrate: {command: [/bin/true], oneShot: true}
  broken: {command: [/bin/sh, -c, "exit 7"], restart: {policy: never}}
  db: {command: [/bin/sleep, "600"], dependsOn: {migrate: completed}}
`
	p := start(t, profile)
	p.running("db")
	p.is("broken", "failed")
	before := p.pids()
	p.strikePeerd()
	p.run()
	p.ready()
	p.running("db")
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
	if i := p.is("broken", "failed"); i.LastExit == nil || i.LastExit.Code != 7 || i.Reason != "exit code 7" {
		t.Errorf("broken: %v", i)
	}
	p.is("migrate", "completed")
	if r := p.ccpc("start", "broken"); r.code != 1 {
		t.Errorf("a start of what is broken: %v", r)
	}
	p.until("broken", "was tried again", func(i instance) bool { return i.Generation == 2 && i.Status == "failed" })
	p.strikePeerd()
	p.write(profile + "  more: {command: [/bin/sleep, '600']}\n")
	p.run()
	p.ready()
	p.running("more")
	p.until("broken", "is tried with the new profile", func(i instance) bool { return i.Generation == 3 && i.Status == "failed" })
	p.signal(syscall.SIGTERM)
	p.over()
	p.run()
	p.ready()
	p.until("migrate", "runs again after an orderly stop", func(i instance) bool { return i.Generation > 2 && i.Status == "completed" })
}

// Two peers that share a runtime folder would take each other's sockets away:
// the second says so and touches nothing.
func TestASecondPeerdOnTheSameRuntimeFolderExitsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	before, err := os.ReadDir(p.path("run/i"))
	if err != nil {
		t.Fatal(err)
	}
	p.put("other.yaml", strings.ReplaceAll(head, "stateDir: state", "stateDir: other, socket: run/other.sock")+"components: {}\n")
	r := p.exec("peerd", "run", p.path("other.yaml"))
	if r.code != 1 || !strings.Contains(r.stderr, "runtime folder") {
		t.Errorf("the second peerd: %v", r)
	}
	after, err := os.ReadDir(p.path("run/i"))
	if err != nil || len(after) != len(before) {
		t.Errorf("the first one's folder held %v, now %v (%v)", before, after, err)
	}
	p.must("report-state", "ticker")
}

// One budget covers the stop and its hooks: a postStop hook that hangs does not
// double it, and one that is quick is run though force used it up.
func TestAPostStopHookHasNoBudgetOfItsOwn(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {command: [/bin/sh, -c, "trap '' TERM; while :; do sleep 0.1; done"], componentStopWaitTime: 4s}
components:
  hangs: {hooks: {postStop: [/bin/sleep, "600"]}}
  quick: {hooks: {postStop: [/bin/touch, "`+"${TMPDIR}"+`/cleaned"]}}
`)
	p.running("hangs", "quick")
	began := time.Now()
	p.must("stop", "--all")
	if took := time.Since(began); took > 7*time.Second {
		t.Errorf("a stop with a budget of 4s took %v", took)
	}
	if _, err := os.Stat(p.path("tmp/cleaned")); err != nil {
		t.Errorf("the hook did not run: %v", err)
	}
}

// A component without replicas can be scaled up again, and a scaling that
// fails leaves nothing behind that the next reload would do.
func TestScaleToNoneAndBack(t *testing.T) {
	t.Parallel()
	p := start(t, "components: {web: {command: [/bin/sleep, \"600\"]}}\n")
	p.running("web")
	p.must("scale", "web", "0")
	if left := p.ps(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	p.must("scale", "web", "4")
	p.running("web#1", "web#2", "web#3", "web#4")
	var gone []outcome
	p.decode(p.must("scale", "web", "2", "-o", "json"), &gone)
	slices.SortFunc(gone, func(a, b outcome) int { return strings.Compare(a.Name, b.Name) })
	if want := []string{"web#3 stopped stopped", "web#4 stopped stopped"}; !slices.Equal(brief(gone), want) {
		t.Errorf("what went: %+v", gone)
	}
	p.write("components: {web: {command: [/bin/sleep, \"600\"], nonsense: 1}}\n")
	p.refused(7, "nonsense", "scale", "web", "3")
	p.write("components: {web: {command: [/bin/sleep, \"600\"]}}\n")
	p.must("reload")
	if now := p.ps(); len(now) != 2 {
		t.Errorf("a scaling that failed was done later: %v", now)
	}
	p.refused(2, "--no-wait", "restart", "--rolling", "--no-wait", "web")
}

// brief is what outcomes say without their details.
func brief(all []outcome) []string {
	out := make([]string, len(all))
	for i, o := range all {
		out[i] = o.Name + " " + o.Outcome + " " + o.Status
	}
	return out
}
