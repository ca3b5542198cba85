//go:build linux

package acceptance_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// launchTimeout of the components that misbehave.
const launchTimeout = 3 * time.Second

// misbehaviour is a way to be a bad component, and what must come of it.
type misbehaviour struct {
	mode   string
	reason string // words of the reason that ps gives
	code   int    // exit code, with signal ""
	signal string
}

var misbehaviours = []misbehaviour{
	{mode: "rubbish", reason: `first output line is no handshake: got "Welcome to \x1b[31mrubbish`, signal: "SIGKILL"},
	{mode: "silent", reason: "no handshake line within 2.7s", signal: "SIGKILL"},
	{mode: "long-line", reason: `first output line is no handshake: got "xxx`, signal: "SIGKILL"},
	{mode: "no-newline", reason: `first output line is no handshake: got "xxx`, signal: "SIGKILL"},
	{mode: "early-exit", reason: "exit code 3", code: 3},
	{mode: "transport", reason: "transport version 1, the component transport version 99", signal: "SIGKILL"},
	{mode: "tcp", reason: `offers a "tcp" address: only "unix"`, signal: "SIGKILL"},
	{mode: "outside", reason: "is not in its own folder", signal: "SIGKILL"},
	{mode: "symlink", reason: "socket", signal: "SIGKILL"},
	{mode: "stranger", reason: "not taken the connection within 2.7s", signal: "SIGKILL"},
	{mode: "versions", reason: "this peer speaks 1.0..1.0, the component 7.0..7.3", signal: "SIGKILL"},
	{mode: "deaf", reason: "HANDSHAKE was not answered", signal: "SIGKILL"},
	{mode: "illegal-state", reason: "not started within 3", signal: "SIGKILL"},
	{mode: "no-execution", reason: "not started within 3", signal: "SIGKILL"},
	{mode: "grandchild", reason: "exit code 37", code: 37},
	{mode: "exit", reason: "exit code 37", code: 37},
	{mode: "fails", reason: "exit code 1: the disk is gone", code: 1},
	{mode: "fails-configure", reason: "exit code 1: url: is empty", code: 1},
	{mode: "panics", reason: "exit code 70: panic: on purpose", code: 70},
}

// badProfile has every misbehaviour beside a healthy neighbour.
func badProfile() string {
	var b strings.Builder
	fmt.Fprintf(&b, "defaults: {launchTimeout: %v, componentStopWaitTime: 2s, restart: {policy: never}}\ncomponents:%s", launchTimeout, ticker)
	for _, m := range misbehaviours {
		fmt.Fprintf(&b, "  %s: {ccp: true, command: ['${BAD}', %s], enabled: false}\n", m.mode, m.mode)
	}
	return b.String()
}

// Issue 2: a component whose version range does not overlap, one that prints
// rubbish instead of a handshake, one that stays silent, one that writes a
// 200 KiB line without newline, one whose grandchild keeps stdout open, and
// more: each gives a clear status and reason, in time, and hurts no neighbour.
func TestBadComponentsGiveAReasonInTimeAndHurtNoNeighbour(t *testing.T) {
	t.Parallel()
	p := start(t, badProfile())
	p.running("ticker")
	neighbour := p.pids("ticker")
	var names []string
	for _, m := range misbehaviours {
		names = append(names, m.mode)
	}
	if r := p.ccpc(append([]string{"start", "-o", "json"}, names...)...); r.code != 1 {
		t.Errorf("starting what cannot start: %v", r)
	}
	for _, m := range misbehaviours {
		m.judge(p)
	}
	if now := p.pids("ticker"); !maps.Equal(now, neighbour) {
		t.Errorf("the neighbour was %v and is %v", neighbour, now)
	}
}

// judge looks at what came of one misbehaviour.
func (m misbehaviour) judge(p *peerd) {
	p.t.Helper()
	i := p.is(m.mode, "failed")
	if i.Pid != 0 || i.LastExit == nil || !strings.Contains(i.Reason, m.reason) || i.Reason == "" {
		p.t.Errorf("%s: want the reason %q: %v", m.mode, m.reason, i)
		return
	}
	if want := m.code; i.LastExit.Signal != m.signal || m.signal == "" && i.LastExit.Code != want || m.signal != "" && i.LastExit.Code != -1 {
		p.t.Errorf("%s: want exit code %d, signal %q: %+v", m.mode, m.code, m.signal, i.LastExit)
	}
	history := p.history(m.mode)
	last := history[len(history)-1]
	spawned, _ := find(history, func(r record) bool { return r.Pid != 0 })
	if took := last.At.Sub(spawned.At); took > launchTimeout+2500*time.Millisecond {
		p.t.Errorf("%s: its end was clear only after %v", m.mode, took)
	}
}

// Issue 2: a report outside the table is refused and changes nothing.
func TestAnIllegalReportIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {launchTimeout: 2s, restart: {policy: never}}
components:
  liar: {ccp: true, command: ["${BAD}", illegal-state]}
`)
	p.is("liar", "failed")
	history := p.history("liar")
	rejected, ok := find(history, func(r record) bool { return strings.Contains(r.Detail, "rejected report") })
	if !ok || !strings.Contains(rejected.Detail, "COMPONENT_STOP_CLEANUP") || !strings.Contains(rejected.Detail, "allowed is COMPONENT_LAUNCH") {
		t.Errorf("the rejection is not in the history: %+v", history)
	}
	if rejected.From != rejected.To || rejected.State != lifecycle.NoState || len(states(history)) != 0 {
		t.Errorf("the rejected report changed something: %+v", history)
	}
	if logs := p.must("logs", "liar"); !strings.Contains(logs, "reply: ERROR") {
		t.Errorf("the component was not told:\n%s", logs)
	}
}

// Issue 2: versions that do not overlap, at the first gate: nothing is spawned.
func TestTheDescriptorGateSpawnsNothing(t *testing.T) {
	t.Parallel()
	xml, err := os.ReadFile(descriptorFile)
	if err != nil {
		t.Fatal(err)
	}
	p := prepare(t, "components:"+ticker+`
  newer: {descriptor: newer.xml, command: ["${SAMPLE}"], restart: {policy: always}}
`)
	p.put("newer.xml", strings.Replace(string(xml), `min-version-supported="1.0" max-version-supported="1.0"`, `min-version-supported="7.0" max-version-supported="7.3"`, 1))
	p.run()
	p.ready()
	i := p.is("newer", "failed")
	if !strings.Contains(i.Reason, "descriptor gate: this peer speaks 1.0..1.0, the component 7.0..7.3") {
		t.Errorf("reason: %s", i.Reason)
	}
	if _, spawned := find(p.history("newer"), func(r record) bool { return r.Pid != 0 }); spawned {
		t.Errorf("it was spawned: %+v", p.history("newer"))
	}
	p.running("ticker")
}

// Issue 2: a component that dies mid-command.
func TestDyingInACommand(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker+`
  mortal: {ccp: true, command: ["${BAD}", dies-in-command], restart: {policy: always, delay: 100ms, jitter: 0}}
`)
	p.running("ticker", "mortal")
	neighbour := p.pids("ticker")
	p.refused(1, "mortal", "send", "mortal", "DIE")
	i := p.until("mortal", "lives again", func(i instance) bool { return i.Generation == 2 && i.Status == "running" })
	if i.Restarts != 1 || i.LastExit == nil || i.LastExit.Signal != "SIGKILL" {
		t.Errorf("after its death: %v", i)
	}
	if now := p.pids("ticker"); !maps.Equal(now, neighbour) {
		t.Errorf("the neighbour was %v and is %v", neighbour, now)
	}
}

// Issue 2: 200 KiB without newline on the real stdout after the handshake, and
// log lines that could make a reader stumble.
func TestAFloodOnStdoutAfterTheHandshake(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker+`
  flood: {ccp: true, command: ["${BAD}", flood]}
  odd: {ccp: true, command: ["${BAD}", json-log]}
`)
	p.running("ticker", "flood", "odd")
	before := p.pids()
	p.waitFor("all 200 KiB captured", func() bool { return strings.Count(p.must("logs", "flood", "--stream", "out"), "x") == 200<<10 })
	if out := p.must("report-state", "flood", "-o", "json"); !strings.Contains(out, "COMPONENT_EXECUTION") {
		t.Errorf("flood does not answer any more: %s", out)
	}
	p.waitFor("the odd line captured", func() bool { return strings.Contains(p.must("logs", "odd"), `{"@message":42`) })
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// A component's grandchild that holds its stdout keeps nothing from ending,
// and does not outlive it.
func TestAGrandchildThatHoldsStdout(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  parent: {ccp: true, command: ["${BAD}", grandchild], restart: {policy: never}}
  plain: {command: [/bin/sh, -c, "sleep 600 & sleep 600 & exit 5"], restart: {policy: never}, ready: {startSeconds: 10s}}
`)
	for name, code := range map[string]int{"parent": 37, "plain": 5} {
		if i := p.is(name, "failed"); i.LastExit.Code != code {
			t.Errorf("%s: %+v", name, i.LastExit)
		}
	}
	if left := p.processes(); len(left) > 0 {
		t.Errorf("grandchildren live: %v", slices.Collect(func(yield func(string) bool) {
			for _, pid := range left {
				yield(commandOf(pid))
			}
		}))
	}
}
