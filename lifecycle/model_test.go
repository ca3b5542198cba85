package lifecycle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is what surrounds a machine: the one generation that may live, the
// timers, and what was seen so far.
type world struct {
	t       *rapid.T
	m       Machine
	p       Policy
	now     time.Time
	gen     uint64 // that lives; 0: none
	spawned bool
	leader  bool // the leader lives
	timers  map[Timer]armed
	history []Transition
	hardest Action // used in the present way down
	downAt  time.Time
	exits   map[uint64]int
	starts  []uint64
}

type armed struct {
	gen uint64
	at  time.Time
}

// TestModel drives the machine with everything that may happen in any order
// and checks what must hold whatever happens.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{t: rt, p: drawPolicy(rt), now: t0, timers: map[Timer]armed{}, exits: map[uint64]int{}}
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			w.something()
		}
		w.goHome()
	})
}

func drawPolicy(t *rapid.T) Policy {
	p := testPolicy()
	p.CCP = rapid.Bool().Draw(t, "ccp")
	p.OneShot = rapid.Bool().Draw(t, "oneShot")
	p.StopWait = rapid.SampledFrom([]time.Duration{0, time.Millisecond, 10 * time.Second}).Draw(t, "stopWait")
	p.LaunchTimeout = rapid.SampledFrom([]time.Duration{0, 30 * time.Second}).Draw(t, "launchTimeout")
	p.Restart.Mode = rapid.SampledFrom([]RestartMode{Always, OnFailure, Never}).Draw(t, "mode")
	p.Restart.LimitCount = rapid.IntRange(0, 4).Draw(t, "limit")
	p.Restart.Delay = rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "delay")
	p.Restart.Jitter = rapid.Float64Range(0, 1).Draw(t, "jitter")
	return p
}

// something lets one random thing happen.
func (w *world) something() {
	switch rapid.IntRange(0, 7).Draw(w.t, "what") {
	case 0, 1:
		w.intent()
	case 2, 3:
		w.fact()
	case 4:
		w.stray()
	case 5:
		w.newPeer()
	case 6:
		w.pass(time.Duration(rapid.IntRange(0, 40_000).Draw(w.t, "ms")) * time.Millisecond)
	case 7:
		w.successor()
	}
}

func (w *world) intent() {
	kind := rapid.SampledFrom([]EventKind{
		EvStart, EvStart, EvStop, EvRestart, EvKill, EvGateOpen, EvGateClosed, EvDependency, EvUnhealthy, EvGiveUp,
	}).Draw(w.t, "intent")
	detail := rapid.SampledFrom([]string{"", "waits for db"}).Draw(w.t, "detail")
	w.step(Event{Kind: kind, Cause: CauseCommand, Detail: detail, By: "rapid"})
}

// fact lets the living generation do something that a real one could do.
func (w *world) fact() {
	if w.gen == 0 {
		return
	}
	kinds := []EventKind{EvAskFailed, EvUnkillable, EvProgress}
	switch {
	case !w.spawned:
		kinds = append(kinds, EvSpawned, EvSpawned, EvSpawned, EvSpawnFailed)
	case w.leader:
		kinds = append(kinds, EvReport, EvReport, EvReport, EvReport, EvReady, EvRefused, EvExited)
	default:
		kinds = append(kinds, EvGone)
	}
	e := Event{
		Kind: rapid.SampledFrom(kinds).Draw(w.t, "fact"), Generation: w.gen, Detail: "so",
		State: State(rapid.IntRange(0, 9).Draw(w.t, "state")), Pid: 100 + int(w.gen),
		Exit:      Exit{Code: rapid.IntRange(0, 2).Draw(w.t, "code")},
		TreeEmpty: rapid.Bool().Draw(w.t, "treeEmpty"), Permanent: rapid.Bool().Draw(w.t, "permanent"),
		Extend: time.Duration(rapid.IntRange(0, 100).Draw(w.t, "extend")) * time.Second,
		Rand:   rapid.Float64Range(0, 0.999).Draw(w.t, "rand"),
	}
	if e.Kind == EvReport && rapid.Bool().Draw(w.t, "legal") && int(w.m.State) < len(stateNext) && len(stateNext[w.m.State]) > 0 {
		e.State = stateNext[w.m.State][0]
	}
	switch e.Kind {
	case EvSpawned:
		w.spawned, w.leader = true, true
	case EvSpawnFailed, EvGone:
		w.gen = 0
	case EvExited:
		w.leader = false
		if e.TreeEmpty {
			w.gen = 0
		}
	}
	before := w.m
	w.step(e)
	legal := before.State.MayReport(e.State) || before.run.adopted || before.run.passed
	if e.Kind == EvReport && !legal && (w.m.State != before.State || w.m.Status != before.Status) {
		w.t.Fatalf("illegal report %v in %v changed the machine", e.State, before.State)
	}
}

// stray delivers something of another generation: nothing may change.
func (w *world) stray() {
	gen := rapid.Uint64Range(0, 9).Draw(w.t, "stray generation")
	kind := EventKind(rapid.IntRange(int(EvSpawned), int(EvTimer)).Draw(w.t, "stray"))
	if gen == w.m.Generation || kind == EvRecovered {
		return
	}
	e := Event{Kind: kind, Generation: gen, Timer: Timer(rapid.IntRange(0, 3).Draw(w.t, "timer")), State: Launch, TreeEmpty: true}
	m, effects := w.m.Step(w.now, w.p, e)
	if len(effects) > 0 || !reflect.DeepEqual(m, w.m) {
		w.t.Fatalf("%v of generation %d changed generation %d", kind, gen, w.m.Generation)
	}
}

// newPeer replaces the machine as a peer does that takes over.
func (w *world) newPeer() {
	if len(w.history) == 0 {
		return
	}
	clear(w.timers)
	w.hardest, w.downAt = Ask, w.now
	w.m = Resume(w.history[len(w.history)-1], w.m.Desired)
	switch {
	case w.m.Status.Live():
		w.step(Event{
			Kind: EvRecovered, Generation: w.gen, Pid: 100 + int(w.gen), Status: w.m.Status, Cause: CauseRecovery,
			State: State(rapid.IntRange(0, 8).Draw(w.t, "state met")),
		})
		if !w.spawned {
			w.spawned, w.leader = true, true
		}
	case w.m.Status == Waiting || w.m.Status == Backoff:
		w.step(Event{Kind: EvStart, Cause: CauseRecovery})
	}
}

// successor replaces the machine as a program does that is handed it: nothing
// is recorded, and what has no process yet gets one.
func (w *world) successor() {
	raw, err := json.Marshal(w.m.Save())
	if err != nil {
		w.t.Fatal(err)
	}
	var saved Saved
	if err := json.Unmarshal(raw, &saved); err != nil {
		w.t.Fatal(err)
	}
	clear(w.timers)
	m, effects := Continue(saved, w.now, w.p)
	if w.gen != 0 && !w.spawned && m.Status == Starting {
		w.gen = 0 // it was not launched after all
		w.starts = w.starts[:len(w.starts)-1]
	}
	w.m = m
	for _, f := range effects {
		if f.Kind == DoRecord {
			w.t.Fatalf("a handover is recorded: %+v", f)
		}
		w.carryOut(f)
	}
	w.check()
	if again, err := json.Marshal(m.Save()); err != nil || !bytes.Equal(again, raw) {
		w.t.Fatalf("handed over %s, arrived %s, %v", raw, again, err)
	}
}

// pass lets time pass, timers running out in order.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for range 1000 {
		next, ok := w.nextTimer(end)
		if !ok {
			w.now = end
			return
		}
		a := w.timers[next]
		delete(w.timers, next)
		w.now = a.at
		w.step(Event{Kind: EvTimer, Timer: next, Generation: a.gen, Rand: 0.5})
	}
	w.t.Fatal("timers run out without end")
}

func (w *world) nextTimer(end time.Time) (next Timer, ok bool) {
	for timer := range Timer(4) {
		a, is := w.timers[timer]
		if is && !a.at.After(end) && (!ok || a.at.Before(w.timers[next].at)) {
			next, ok = timer, true
		}
	}
	return next, ok
}

// step applies e, carries out the effects and checks the invariants.
func (w *world) step(e Event) {
	before := w.m
	ends := slices.Clone(before.Book.Ends)
	m, effects := w.m.Step(w.now, w.p, e)
	again, sameEffects := w.m.Step(w.now, w.p, e)
	if !reflect.DeepEqual(m, again) || !reflect.DeepEqual(effects, sameEffects) {
		w.t.Fatal("Step is not a function")
	}
	if !slices.Equal(ends, before.Book.Ends) {
		w.t.Fatal("Step wrote into the machine it was called on")
	}
	w.m = m
	if m.Status == Stopping && before.Status != Stopping {
		w.hardest, w.downAt = Ask, w.now
	}
	for _, f := range effects {
		w.carryOut(f)
	}
	w.check()
}

func (w *world) carryOut(f Effect) {
	switch f.Kind {
	case DoLaunch:
		if w.gen != 0 {
			w.t.Fatalf("generation %d launched while %d lives", f.Generation, w.gen)
		}
		w.gen, w.spawned, w.leader = f.Generation, false, false
		w.starts = append(w.starts, f.Generation)
	case DoAsk:
		w.harder(Ask)
	case DoSignal:
		w.harder(Signal)
	case DoKill:
		w.harder(Kill)
	case DoSetTimer:
		w.timers[f.Timer] = armed{f.Generation, w.now.Add(f.After)}
	case DoStopTimer:
		delete(w.timers, f.Timer)
	case DoRecord:
		w.record(f.Transition)
	}
}

func (w *world) harder(a Action) {
	if a < w.hardest {
		w.t.Fatalf("%v after %v in one way down", a, w.hardest)
	}
	w.hardest = a
}

func (w *world) record(tr Transition) {
	w.history = append(w.history, tr)
	if tr.Exit != nil {
		w.exits[tr.Generation]++
	}
	if err := CheckPath(w.history); err != nil {
		w.t.Fatalf("%v: %+v", err, w.history)
	}
}

// check asserts what holds between any two events.
func (w *world) check() {
	m := w.m
	deadline := w.downAt.Add(w.p.StopWait)
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{m.Status.Live() != (w.gen != 0), "status and process disagree"},
		{len(w.history) > 0 && w.history[len(w.history)-1].To != m.Status, "status without a record"},
		{(m.Status == Stopped) != (m.Desired == Down && !m.Status.Live()), "at rest, down is stopped and stopped is down"},
		{m.Status == Waiting && (m.Gate == "" || m.Reason != m.Gate), "waits without a reason"},
		{m.Status == Backoff && (!w.has(TimerBackoff) || m.Reason == "" || m.NextStartAt.IsZero()), "backoff without an end or a reason"},
		{m.Status == Failed && m.Reason == "", "failed without a reason"},
		{m.Status == Starting && w.spawned && w.p.LaunchTimeout > 0 && !w.has(TimerLaunch), "launch without a deadline"},
		{m.Status == Stopping && w.hardest != Kill && !w.has(TimerRung), "a way down without its next rung"},
		{m.Status == Stopping && w.has(TimerRung) && w.timers[TimerRung].at.After(deadline), "a rung after the budget's end"},
		{!m.Status.Live() && (m.Pid != 0 || m.State != NoState), "pid or state of what does not live"},
		{m.Status != Backoff && !m.Status.Live() && len(w.timers) > 0, "a timer at rest"},
		{len(m.Book.Ends) > max(w.p.Restart.LimitCount, 0), "the book grows"},
		{len(w.timers) > 1, "more than one timer"},
	} {
		if c.bad {
			w.t.Fatalf("%s\nmachine %+v\ntimers %v\nhistory %v", c.what, m, w.timers, w.history)
		}
	}
}

func (w *world) has(t Timer) bool { _, is := w.timers[t]; return is }

// goHome stops the machine: given the exits that follow it must come to rest,
// each generation with its one end.
func (w *world) goHome() {
	w.step(Event{Kind: EvStop})
	w.pass(w.p.StopWait)
	if w.gen != 0 {
		if w.hardest != Kill {
			w.t.Fatalf("the budget is over and nothing was killed: %+v", w.m)
		}
		gen := w.gen
		w.gen = 0
		w.step(Event{Kind: EvGone, Generation: gen})
	}
	if w.m.Status != Stopped {
		w.t.Fatalf("stopped is %v", w.m.Status)
	}
	for _, gen := range w.starts {
		if w.exits[gen] != 1 {
			w.t.Fatalf("generation %d has %d ends: %v", gen, w.exits[gen], w.history)
		}
	}
	if err := CheckPath(w.history); err != nil {
		w.t.Fatal(err)
	}
	if n := len(w.starts); n > 0 && w.starts[n-1] != uint64(n) {
		w.t.Fatal(fmt.Errorf("generations are %v", w.starts))
	}
}
