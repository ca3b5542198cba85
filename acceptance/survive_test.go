//go:build linux

package acceptance_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// killPeerd kills peerd and does something before the next one runs.
func (p *peerd) killPeerd(meanwhile func()) {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	p.over()
	if meanwhile != nil {
		meanwhile()
	}
	p.run()
	p.ready()
}

// keeperPid is the keeper's process, 0 while there is none.
func (p *peerd) keeperPid() int {
	p.t.Helper()
	var s struct {
		KeeperPid int `json:"keeperPid"`
	}
	p.decode(p.must("status", "-o", "json"), &s)
	return s.KeeperPid
}

// killKeeper kills the keeper and waits for the next one.
func (p *peerd) killKeeper() {
	p.t.Helper()
	before := p.keeperPid()
	if before == 0 {
		p.t.Fatal("there is no keeper")
	}
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	p.waitFor("the next keeper", func() bool {
		now := p.keeperPid()
		return now != 0 && now != before
	})
}

// survivors are one of each kind, and one that ends when it is told to.
const survivors = "components:" + ticker + `
  plain: {command: [/bin/sleep, "600"]}
  ends: {command: [/bin/sh, -c, "while [ ! -e go ]; do sleep 0.02; done; exit 37"], restart: {policy: never}}
defaults: {workingDirectory: .}
`

func TestComponentsOutlivePeerd(t *testing.T) {
	t.Parallel()
	p := start(t, survivors)
	p.running("ticker", "plain", "ends")
	before, keeper := p.pids(), p.keeperPid()
	for range 3 {
		p.killPeerd(nil)
		p.running("ticker", "plain", "ends")
		if now := p.pids(); !maps.Equal(now, before) {
			t.Fatalf("were %v and are %v", before, now)
		}
		if now := p.keeperPid(); now != keeper {
			t.Errorf("the keeper was %d and is %d", keeper, now)
		}
		if got := p.must("report-state", "ticker"); !strings.Contains(got, "COMPONENT_EXECUTION") {
			t.Errorf("report-state: %s", got)
		}
	}
	p.killPeerd(func() {
		pid := int(before["ends"][0])
		p.put("go", "")
		p.waitFor("it ended", func() bool { return !alive(pid) })
	})
	p.exited37()
	p.must("stop", "ticker")
	p.killPeerd(nil)
	p.is("ticker", "stopped")
}

// exited37 wants the exit of `ends` in its history.
func (p *peerd) exited37() {
	p.t.Helper()
	p.is("ends", "failed")
	ends := 0
	for _, r := range p.history("ends") {
		if r.Exit != nil {
			if ends++; r.Exit.Code != 37 {
				p.t.Errorf("exit %+v, want 37", r.Exit)
			}
		}
	}
	if ends != 1 {
		p.t.Errorf("%d ends in the history, want 1", ends)
	}
}

func TestComponentsOutliveTheKeeper(t *testing.T) {
	t.Parallel()
	p := start(t, survivors)
	p.running("ticker", "plain", "ends")
	before := p.pids()
	for range 3 {
		p.killKeeper()
		if now := p.pids(); !maps.Equal(now, before) {
			t.Fatalf("were %v and are %v", before, now)
		}
	}
	p.killPeerd(nil)
	p.killKeeper()
	p.killKeeper()
	p.running("ticker", "plain", "ends")
	if now := p.pids(); !maps.Equal(now, before) {
		t.Fatalf("were %v and are %v", before, now)
	}
	if got := p.must("report-state", "ticker"); !strings.Contains(got, "COMPONENT_EXECUTION") {
		t.Errorf("report-state: %s", got)
	}
	p.put("go", "")
	p.exited37()
}

// A stop in progress is finished by the next peerd.
func TestAStopInProgressIsFinished(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  slow: {command: [/bin/sh, -c, "trap 'while [ ! -e go ]; do sleep 0.02; done; exit 3' TERM; while :; do sleep 0.02; done"], componentStopWaitTime: 60s}
defaults: {workingDirectory: .}
`)
	i := p.until("slow", "runs", func(i instance) bool { return i.Status == "running" })
	p.must("stop", "slow", "--no-wait")
	p.is("slow", "stopping")
	p.killPeerd(nil)
	if now := p.is("slow", "stopping"); now.Pid != i.Pid {
		t.Errorf("was %v and is %v", i, now)
	}
	p.put("go", "")
	p.is("slow", "stopped")
	history := p.history("slow")
	if end := history[len(history)-1]; end.To != lifecycle.Stopped || end.Exit == nil || end.Exit.Code != 3 {
		t.Errorf("it ended as %+v", end)
	}
}

// What left the plan while peerd was away is stopped as by a reload: asked, with
// its hook, and by force when its budget is over; what changed is restarted.
func TestThePlanChangesWhilePeerdIsAway(t *testing.T) {
	t.Parallel()
	const stays = `
components:
  stays: {command: [/bin/sleep, "600"]}
`
	p := start(t, stays+`
  changes: {command: [/bin/sleep, "602"]}
  leaves:
    command: [/bin/sh, -c, "trap 'echo $HOW >>bye; exit 3' USR1; touch armed; while :; do sleep 0.02; done"]
    env: {HOW: orderly}
    stopSignal: SIGUSR1
    hooks: {preStop: [/bin/sh, -c, "echo hook: $HOW >>bye"]}
  deaf: {command: [/bin/sh, -c, "trap '' TERM; touch deaf; while :; do sleep 0.02; done"], componentStopWaitTime: 1s}
`+ticker+`
defaults: {workingDirectory: .}
`)
	p.running("stays", "leaves", "deaf", "changes", "ticker")
	p.waitFor("their traps are set", func() bool { return p.hasFile("armed") && p.hasFile("deaf") })
	before := p.pids()
	p.killPeerd(func() {
		p.write(stays + `
  changes: {command: [/bin/sleep, "603"]}
defaults: {workingDirectory: .}
`)
	})
	p.until("changes", "is another", func(i instance) bool { return i.Status == "running" && i.Generation == 2 })
	p.waitFor("those who left are gone", func() bool { return len(p.ps()) == 2 })
	if now := p.pids(); now["stays"] != before["stays"] || len(now) != 2 {
		t.Errorf("were %v and are %v", before, now)
	}
	ends := map[string]record{}
	for _, r := range p.events() {
		if r.Exit != nil {
			ends[r.Name] = r
		}
	}
	for name, want := range map[string]string{"leaves": "3", "deaf": "-1 SIGKILL", "ticker": "0"} {
		if alive(int(before[name][0])) {
			t.Errorf("%s lives on", name)
		}
		if x := ends[name].Exit; x == nil || strings.TrimSpace(fmt.Sprint(x.Code, " ", x.Signal)) != want {
			t.Errorf("%s ended with %v, want %s", name, x, want)
		}
	}
	if text, _ := os.ReadFile(p.path("bye")); string(text) != "hook: orderly\norderly\n" {
		t.Errorf("leaves said %q", text)
	}
}

// onPeerExit: keep leaves the components with the keeper.
func TestOnPeerExitKeep(t *testing.T) {
	t.Parallel()
	p := prepare(t, "")
	p.put("profile.yaml", strings.Replace(head, "{name: acc", "{onPeerExit: keep, name: acc", 1)+survivors)
	p.run()
	p.ready()
	p.running("ticker", "plain", "ends")
	before := p.pids()
	p.signal(syscall.SIGTERM)
	if status := p.over(); status.ExitStatus() != 0 {
		t.Errorf("peerd: %s", describe(status))
	}
	for name, i := range before {
		if !alive(int(i[0])) {
			t.Errorf("%s ended with peerd", name)
		}
	}
	if err := os.WriteFile(p.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.waitFor("it ended", func() bool { return !alive(int(before["ends"][0])) })
	p.run()
	p.ready()
	p.exited37()
	delete(before, "ends")
	if now := p.pids("ticker", "plain"); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
	p.must("stop", "--all")
	p.write("") // what follows ends as usual
}

// A change that takes no restart takes none when it is made while peerd is away.
func TestALiveChangeWhilePeerdIsAway(t *testing.T) {
	t.Parallel()
	const body = `
components:
  checked: {command: [/bin/sleep, "600"], health: {exec: [/bin/sh, -c, "echo %s >> checks"], interval: 100ms}}
defaults: {workingDirectory: .}
`
	p := start(t, fmt.Sprintf(body, "old"))
	p.running("checked")
	before := p.pids()
	checks := func(word string) func() bool {
		return func() bool {
			text, _ := os.ReadFile(p.path("checks"))
			return strings.HasSuffix(string(text), word+"\n")
		}
	}
	p.waitFor("the old check", checks("old"))
	p.killPeerd(func() { p.write(fmt.Sprintf(body, "new")) })
	p.waitFor("the new check", checks("new"))
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// Hooks that were under way when peerd died are ended by the next one, before
// anything starts: a hook never runs twice at a time.
func TestHooksOfADeadPeerdAreEnded(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  pre: {command: [/bin/sleep, "600"], hooks: {preStart: [/bin/sh, -c, "[ -e pre ] && exit 0; touch pre; exec sleep 678"]}, launchTimeout: 10m}
  post: {command: [/bin/sleep, "601"], hooks: {postStart: [/bin/sh, -c, "touch post; exec sleep 679"]}}
defaults: {workingDirectory: .}
`)
	p.waitFor("both hooks", func() bool {
		_, pre := os.Stat(p.path("pre"))
		_, post := os.Stat(p.path("post"))
		return pre == nil && post == nil
	})
	before := p.of("post")
	p.killPeerd(nil)
	p.running("pre", "post")
	for _, pid := range p.processes() {
		if c := commandOf(pid); strings.Contains(c, "678") || strings.Contains(c, "679") {
			t.Errorf("pid %d lives on: %s", pid, c)
		}
	}
	if now := p.of("post"); now.Pid != before.Pid {
		t.Errorf("post was %v and is %v", before, now)
	}
}
