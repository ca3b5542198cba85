package lifecycle

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write the generated files instead of comparing them")

// generated compares a file with its text, or writes it with -rewrite.
func generated(t *testing.T, path, text string) {
	t.Helper()
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run go generate ./lifecycle", err)
	}
	if string(old) == text {
		return
	}
	is, want := strings.Split(string(old), "\n"), strings.Split(text, "\n")
	for i := range min(len(is), len(want)) {
		if is[i] != want[i] {
			t.Fatalf("%s:%d is out of step: run go generate ./lifecycle and read the difference\n is   %s\n want %s", path, i+1, is[i], want[i])
		}
	}
	t.Fatalf("%s is out of step: run go generate ./lifecycle and read the difference", path)
}

// situation is a machine in a status, with what its future depends on.
type situation struct {
	name string
	p    Policy
	m    Machine
}

// situations returns machines in every status, all reached by events. The
// first of each status is its usual case.
func situations(t *testing.T) []situation {
	plain := testPolicy()
	plain.CCP = false
	never := testPolicy()
	never.Restart.Mode = Never
	oneShot := testPolicy()
	oneShot.OneShot = true
	plainOneShot := oneShot
	plainOneShot.CCP = false
	refused := Event{Kind: EvRefused, Detail: "versions 2.0-3.0 do not meet 1.0", Permanent: true}
	closed := Event{Kind: EvGateClosed, Detail: "waits for db"}
	crash := Event{Kind: EvExited, Exit: Exit{Code: 3}, TreeEmpty: true}
	leftover := Event{Kind: EvExited, Exit: Exit{Code: 3}}

	var all []situation
	add := func(name string, p Policy, events ...Event) {
		d := drive(t)
		d.p = p
		for _, e := range events {
			d.step(e)
		}
		all = append(all, situation{name, p, d.m})
	}
	path := func(upTo State, then ...Event) []Event {
		events := []Event{{Kind: EvStart}, {Kind: EvSpawned, Pid: 77}}
		for s := Launch; s <= upTo; s++ {
			events = append(events, Event{Kind: EvReport, State: s})
		}
		return append(events, then...)
	}
	ccp := testPolicy()
	add("stopped", ccp)
	add("stopped, gate closed", ccp, closed)
	add("waiting", ccp, closed, Event{Kind: EvStart})
	add("starting", ccp, path(Configuration)...)
	add("starting, not spawned", ccp, Event{Kind: EvStart})
	add("starting, all but started", ccp, path(Start)...)
	add("starting, no state", ccp, path(NoState)...)
	add("starting, plain", plain, path(NoState)...)
	add("starting, plain one-shot", plainOneShot, path(NoState)...)
	add("starting, never restarts", never, path(Launch)...)
	add("running", ccp, path(Execution)...)
	add("running, plain", plain, path(NoState, Event{Kind: EvReady})...)
	add("running, never restarts", never, path(Execution)...)
	add("running, one-shot", oneShot, path(Execution)...)
	add("stopping", ccp, path(Execution, Event{Kind: EvStop})...)
	add("stopping, to start again", ccp, path(Execution, Event{Kind: EvRestart})...)
	add("stopping, dependency died", ccp, path(Execution, Event{Kind: EvDependency, Detail: "db ended"})...)
	add("stopping, by itself", ccp, path(Execution, Event{Kind: EvReport, State: StopTimeWait})...)
	add("stopping, one-shot by itself", oneShot, path(Execution, Event{Kind: EvReport, State: StopTimeWait})...)
	add("stopping, unhealthy", ccp, path(Execution, Event{Kind: EvUnhealthy, Detail: "no answer"})...)
	add("stopping, leftovers", ccp, path(Execution, leftover)...)
	add("stopping, plain", plain, path(NoState, Event{Kind: EvReady}, Event{Kind: EvStop})...)
	add("stopping, not spawned", ccp, Event{Kind: EvStart}, Event{Kind: EvStop})
	add("stopping, by force", ccp, path(Execution, Event{Kind: EvKill})...)
	add("stopping, refused", ccp, path(NoState, refused)...)
	add("backoff", ccp, path(Execution, crash)...)
	add("backoff, gate closed", ccp, path(Execution, crash, closed)...)
	add("completed", oneShot, path(Execution, Event{Kind: EvExited, TreeEmpty: true})...)
	add("completed, gate closed", oneShot, path(Execution, Event{Kind: EvExited, TreeEmpty: true}, closed)...)
	add("failed", never, path(Execution, crash)...)
	add("failed, gate closed", never, path(Execution, crash, closed)...)
	return all
}

// stimulus is an event of the matrix, with how it is written.
type stimulus struct {
	name string
	e    Event
}

func stimuli() []stimulus {
	all := []stimulus{
		{"start", Event{Kind: EvStart, By: "me"}},
		{"stop", Event{Kind: EvStop, By: "me"}},
		{"restart", Event{Kind: EvRestart, By: "me"}},
		{"kill", Event{Kind: EvKill, By: "me"}},
		{"gate-open", Event{Kind: EvGateOpen}},
		{"gate-closed", Event{Kind: EvGateClosed, Detail: "waits for cache"}},
		{"dependency", Event{Kind: EvDependency, Detail: "cache ended"}},
		{"unhealthy", Event{Kind: EvUnhealthy, Detail: "no answer"}},
		{"give-up", Event{Kind: EvGiveUp, Cause: CauseDependency, Detail: "group g failed"}},
		{"spawned", Event{Kind: EvSpawned, Pid: 78}},
		{"spawn-failed", Event{Kind: EvSpawnFailed, Detail: "no such file"}},
		{"spawn-failed, permanent", Event{Kind: EvSpawnFailed, Detail: "wrong checksum", Permanent: true}},
		{"report, next", Event{Kind: EvReport}}, // its state depends on the machine
		{"report, same", Event{Kind: EvReport}},
		{"report, illegal", Event{Kind: EvReport}},
		{"report, stop", Event{Kind: EvReport, State: StopTimeWait}},
		{"progress", Event{Kind: EvProgress, Extend: time.Minute}},
		{"ready", Event{Kind: EvReady}},
		{"refused", Event{Kind: EvRefused, Detail: "no common version"}},
		{"ask-failed", Event{Kind: EvAskFailed, Detail: "no answer"}},
		{"exited 0, all of it", Event{Kind: EvExited, TreeEmpty: true}},
		{"exited 3, all of it", Event{Kind: EvExited, TreeEmpty: true, Exit: Exit{Code: 3}}},
		{"exited 3, leader only", Event{Kind: EvExited, Exit: Exit{Code: 3}}},
		{"gone", Event{Kind: EvGone}},
		{"unkillable", Event{Kind: EvUnkillable, Detail: "pid 80 in D state"}},
		{"noted", Event{Kind: EvNoted, Detail: "a limit is not in force"}},
		{"recovered", Event{Kind: EvRecovered, Pid: 79, Status: Running, State: Execution}},
	}
	for timer := range Timer(len(timerNames)) {
		all = append(all, stimulus{"timer " + timer.String(), Event{Kind: EvTimer, Timer: timer}})
	}
	return all
}

// apply steps s by st at the instant its timers run out, if it is a timer.
func (st stimulus) apply(s situation) (Machine, []Effect) {
	e, now := st.e, t0
	e.Generation = s.m.Generation
	switch st.name {
	case "report, next":
		e.State = Launch
		if next := stateNext[s.m.State]; len(next) > 0 {
			e.State = next[0]
		}
	case "report, same":
		e.State = s.m.State
	case "report, illegal":
		e.State = Connect
		if s.m.State == Configuration {
			e.State = Execution
		}
	}
	switch {
	case e.Kind == EvTimer && e.Timer == TimerRung && s.m.Status == Stopping && !s.m.stop.forced():
		now = s.m.stop.due(ladder(s.m.stop.asks)[s.m.stop.next])
	case e.Kind == EvTimer:
		now = t0.Add(time.Minute)
	}
	return s.m.Step(now, s.p, e)
}

// describe writes what a step did on one line; "–" when it did nothing.
func describe(before, after Machine, effects []Effect) string {
	var parts []string
	if before.Status != after.Status {
		parts = append(parts, "→ "+after.Status.String())
	}
	for _, f := range effects {
		switch f.Kind {
		case DoSetTimer:
			parts = append(parts, fmt.Sprintf("set %v %v", f.Timer, f.After))
		case DoStopTimer:
		case DoRecord:
			if before.Status == after.Status && f.Transition.From == f.Transition.To {
				parts = append(parts, "record")
			}
		case DoAsk:
			parts = append(parts, fmt.Sprintf("ask %v", f.After))
		default:
			parts = append(parts, f.Kind.String())
		}
	}
	if before.Desired != after.Desired {
		parts = append(parts, "want "+after.Desired.String())
	}
	if before.Gate != after.Gate {
		parts = append(parts, fmt.Sprintf("gate %q", after.Gate))
	}
	if before.Reason != after.Reason {
		parts = append(parts, fmt.Sprintf("reason %q", after.Reason))
	}
	if before.stop.sequel != after.stop.sequel && after.Status == Stopping && before.Status == Stopping {
		parts = append(parts, "then start")
	}
	return cmp.Or(strings.Join(parts, ", "), "–")
}

// TestMatrix compares every situation × event with testdata/matrix.txt, which
// is read by people: a change of the machine shows as its difference.
func TestMatrix(t *testing.T) {
	var b strings.Builder
	for _, s := range situations(t) {
		fmt.Fprintf(&b, "%s\n", s.name)
		for _, st := range stimuli() {
			after, effects := st.apply(s)
			fmt.Fprintf(&b, "    %-24s %s\n", st.name, describe(s.m, after, effects))
		}
	}
	generated(t, "testdata/matrix.txt", b.String())
}

// TestMatrixIsTotal finds cells nobody decided and events nobody tried.
func TestMatrixIsTotal(t *testing.T) {
	for row := range matrix {
		for s, act := range matrix[row] {
			if act == nil {
				t.Errorf("row %d, status %v: not decided", row, Status(s))
			}
		}
	}
	tried := map[string]bool{}
	for _, st := range stimuli() {
		name, _, _ := strings.Cut(st.name, ",")
		name, _, _ = strings.Cut(name, " ")
		tried[name] = true
	}
	for _, name := range eventNames {
		if !tried[name] {
			t.Errorf("event %s is not in the matrix", name)
		}
	}
	if len(matrix) != len(eventNames)-1+len(timerNames) || len(statusNames) != len(matrix[0]) {
		t.Error("names and matrix differ in size")
	}
}

// TestEveryStepIsReachable finds entries of the status table that no event uses.
func TestEveryStepIsReachable(t *testing.T) {
	used := steps(t)
	for from, nexts := range statusNext {
		for _, to := range nexts {
			if len(used[[2]Status{Status(from), to}]) == 0 {
				t.Errorf("the table leads from %v to %v, no event does", Status(from), to)
			}
		}
	}
}

// steps collects which events lead from which status to which.
func steps(t *testing.T) map[[2]Status][]string {
	used := map[[2]Status][]string{}
	for _, s := range situations(t) {
		for _, st := range stimuli() {
			_, effects := st.apply(s)
			for _, f := range effects[:min(1, len(effects))] { // the first record; a restart's launch follows in the same step
				step := [2]Status{f.Transition.From, f.Transition.To}
				name := st.e.Kind.String()
				if st.e.Kind == EvTimer {
					name = st.name
				}
				if f.Kind == DoRecord && f.Transition.Cause != CauseRecovery && step[0] != step[1] && !slices.Contains(used[step], name) {
					used[step] = append(used[step], name)
				}
			}
		}
	}
	return used
}
