package supervisor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// actor owns one instance: its machine, its timers, its handle. Only its own
// goroutine touches the fields below told.
type actor struct {
	key  Key
	sup  *Supervisor
	mail *mailbox[message]
	view atomic.Pointer[View]
	done chan struct{}
	told uint64 // serial of the last event sent to it; the supervisor's

	spec    *profiles.Spec
	next    *profiles.Spec // takes over with the next launch: the running generation stops by its own rules
	machine lifecycle.Machine
	handle  Handle
	release context.CancelFunc
	heard   uint64 // serial of the last event heard from the owner of the plan
	timers  [lifecycle.TimerStable + 1]timer
	health  Health
	detail  string
	exitAt  time.Time // of machine.LastExit
	fault   error
	unsaved []Entry
	// settling are told once nothing is unsaved.
	settling []Settler
	// retrying: a saveMsg is on its way.
	retrying bool
	retired  bool
	frozen   bool // it has saved itself, and hears nothing more
}

type timer struct {
	serial uint64
	t      *time.Timer
}

func newActor(sup *Supervisor, spec *profiles.Spec, m lifecycle.Machine) *actor {
	a := &actor{
		key: KeyOf(spec), sup: sup, spec: spec, machine: m,
		mail: newMailbox[message](), done: make(chan struct{}),
	}
	a.view.Store(&View{Key: a.key, Spec: spec, Machine: m, changed: make(chan struct{})})
	return a
}

// run is the actor's goroutine. It ends when the instance is retired and at
// rest, or when ctx ends: then it lets go of a living generation.
func (a *actor) run(ctx context.Context) {
	defer close(a.done)
	defer a.letGo()
	for !a.retired || a.handle != nil {
		select {
		case <-ctx.Done():
			return
		case <-a.mail.ready:
		}
		for _, msg := range a.mail.take() {
			a.handleMessage(ctx, msg)
		}
		a.publish()
	}
}

func (a *actor) letGo() {
	for _, msg := range a.mail.close() {
		refuse(msg)
	}
	for i := range a.timers {
		a.stopTimer(lifecycle.Timer(i))
	}
	if a.handle != nil {
		a.release()
		a.handle.Release()
	}
}

// refuse answers who waits for an answer to what nobody heeds any more.
func refuse(msg message) {
	if e, ok := msg.(eventMsg); ok && e.verdict != nil {
		e.verdict <- ErrStopped
	}
}

func (a *actor) handleMessage(ctx context.Context, msg message) {
	if a.frozen {
		refuse(msg)
		return
	}
	switch msg := msg.(type) {
	case eventMsg:
		a.heard = max(a.heard, msg.serial)
		a.step(ctx, msg.Event, msg.verdict)
	case timerMsg:
		if a.timers[msg.timer].serial == msg.serial {
			a.step(ctx, lifecycle.Event{Kind: lifecycle.EvTimer, Timer: msg.timer, Generation: msg.generation}, nil)
		}
	case healthMsg:
		a.judge(ctx, msg)
	case respecMsg:
		a.respec(ctx, msg)
	case saveMsg:
		a.retrying = false
		a.save()
	case saveYourselfMsg:
		a.saveYourself(msg.to)
	case retireMsg:
		a.retired = true
	}
}

// judge takes in what the health check says.
func (a *actor) judge(ctx context.Context, msg healthMsg) {
	if msg.generation != a.machine.Generation || a.machine.Status != lifecycle.Running {
		return
	}
	a.health, a.detail = msg.health, msg.detail
	if msg.health == HealthBad && a.spec.Health != nil && a.spec.Health.OnFailure != "none" {
		a.step(ctx, lifecycle.Event{Kind: lifecycle.EvUnhealthy, Generation: msg.generation, Detail: msg.detail}, nil)
	}
}

// respec changes the definition: live where that is enough, else with the next
// generation. What runs is always stopped by the rules it was started under.
func (a *actor) respec(ctx context.Context, msg respecMsg) {
	if msg.live && a.next == nil {
		a.update(msg.spec)
		return
	}
	restarts := a.next != nil && msg.live // it is under way with what is replaced here
	a.next = msg.spec
	if restarts {
		return
	}
	if a.handle == nil {
		a.spec, a.next = msg.spec, nil
		if a.machine.Desired == lifecycle.Up && startsItself(msg.spec) {
			a.step(ctx, lifecycle.Event{Kind: lifecycle.EvStart, Cause: lifecycle.CauseReload, By: msg.by}, nil)
		}
		return
	}
	kind := lifecycle.EvRestart
	if !msg.spec.Enabled || msg.spec.LaunchMode == "none" {
		kind = lifecycle.EvStop
	}
	a.step(ctx, lifecycle.Event{Kind: kind, Cause: lifecycle.CauseReload, By: msg.by, Detail: "definition changed"}, nil)
}

// update takes over a definition that differs only in what can change live.
func (a *actor) update(spec *profiles.Spec) {
	old := a.spec
	a.spec = spec
	if u, ok := a.handle.(Updater); ok {
		u.Update(spec)
	}
	mon, ok := a.handle.(Monitor)
	if !ok || a.machine.Status != lifecycle.Running || reflect.DeepEqual(old.Health, spec.Health) {
		return
	}
	a.health, a.detail = HealthUnknown, ""
	if spec.Health == nil {
		mon.StopHealth()
		return
	}
	mon.StartHealth(spec)
}

// step feeds one event to the machine and carries out what follows.
func (a *actor) step(ctx context.Context, e lifecycle.Event, verdict chan<- error) {
	e.Rand = rand.Float64()
	before := a.machine
	m, effects := before.Step(a.sup.now(), a.policy(), e)
	a.machine = m
	if m.Generation != before.Generation || m.Status != lifecycle.Running {
		a.health, a.detail = HealthUnknown, ""
	}
	if m.LastExit != nil && m.LastExit != before.LastExit {
		a.exitAt = a.sup.now()
	}
	if ended(before, m) {
		a.endGeneration()
	}
	rejected := a.carryOut(ctx, effects)
	if verdict != nil {
		verdict <- rejected
	}
	a.monitor(before, e)
}

// ended reports whether the generation that lived before lives no more.
func ended(before, after lifecycle.Machine) bool {
	if !living(before) {
		return false
	}
	return !living(after) || after.Generation != before.Generation
}

func living(m lifecycle.Machine) bool {
	return m.Status == lifecycle.Starting || m.Status == lifecycle.Running || m.Status == lifecycle.Stopping
}

func (a *actor) endGeneration() {
	if a.handle != nil {
		a.release()
		a.handle.Release()
		if s, ok := a.handle.(Settler); ok {
			a.settling = append(a.settling, s)
		}
		a.handle = nil
	}
	if a.next != nil {
		a.spec, a.next = a.next, nil
	}
}

// monitor has the health checked while the generation runs; one that was taken
// up was not checked by this supervisor before.
func (a *actor) monitor(before lifecycle.Machine, e lifecycle.Event) {
	mon, ok := a.handle.(Monitor)
	if !ok {
		return
	}
	was := before.Status == lifecycle.Running && before.Generation == a.machine.Generation && e.Kind != lifecycle.EvRecovered
	is := a.machine.Status == lifecycle.Running
	if is && !was {
		mon.StartHealth(a.spec)
	}
	if was && !is {
		mon.StopHealth()
	}
}

// carryOut performs the effects in order and returns why a report was refused.
// Records go to the journal before anything else is done, so that a launch is
// known before it happens.
func (a *actor) carryOut(ctx context.Context, effects []lifecycle.Effect) (rejected error) {
	for _, ef := range effects {
		if ef.Kind == lifecycle.DoRecord {
			a.unsaved = append(a.unsaved, a.entry(ef.Transition))
		}
	}
	a.save()
	for _, ef := range effects {
		switch ef.Kind {
		case lifecycle.DoLaunch:
			a.launch(ctx, ef.Generation)
		case lifecycle.DoAsk:
			a.withHandle(func(h Handle) { h.Ask(ef.After, ef.Detail) })
		case lifecycle.DoSignal:
			a.withHandle(func(h Handle) { h.Signal(a.spec.StopSignal) })
		case lifecycle.DoKill:
			a.withHandle(Handle.Kill)
		case lifecycle.DoSetTimer:
			a.setTimer(ef)
		case lifecycle.DoStopTimer:
			a.stopTimer(ef.Timer)
		case lifecycle.DoRejectReport:
			rejected = fmt.Errorf("%w: %s", ErrIllegalReport, ef.Detail)
		}
	}
	return rejected
}

func (a *actor) withHandle(do func(Handle)) {
	if a.handle != nil {
		do(a.handle)
	}
}

// launch starts a generation, unless the journal could not note that it is
// about to live: what is not remembered could be started twice.
func (a *actor) launch(ctx context.Context, generation uint64) {
	s := sink{a: a, generation: generation}
	if a.fault != nil {
		s.Emit(lifecycle.Event{Kind: lifecycle.EvSpawnFailed, Detail: "cannot record the start: " + a.fault.Error()})
		return
	}
	ctx, a.release = context.WithCancel(ctx)
	a.handle = a.sup.opts.Launcher.Launch(ctx, a.spec, generation, s)
}

// adopt takes up a generation that lives, or whose end is to be recorded.
func (a *actor) adopt(ctx context.Context, what Adoption) {
	sink := sink{a: a, generation: what.Generation}
	r, ok := a.sup.opts.Launcher.(Reattacher)
	if !ok {
		sink.Emit(lifecycle.Event{Kind: lifecycle.EvGone})
		return
	}
	ctx, a.release = context.WithCancel(ctx)
	a.handle = r.Reattach(ctx, a.spec, what, sink)
}

func (a *actor) setTimer(ef lifecycle.Effect) {
	a.stopTimer(ef.Timer)
	t := &a.timers[ef.Timer]
	msg := timerMsg{timer: ef.Timer, serial: t.serial, generation: ef.Generation}
	t.t = time.AfterFunc(ef.After, func() { a.mail.put(msg) })
}

// stopTimer makes sure that a timer which has already fired is not heard: its
// message carries an old serial.
func (a *actor) stopTimer(which lifecycle.Timer) {
	t := &a.timers[which]
	t.serial++
	if t.t != nil {
		t.t.Stop()
		t.t = nil
	}
}

func (a *actor) policy() lifecycle.Policy { return policyOf(a.spec) }

// policyOf is the part of a spec that the machine decides by.
func policyOf(s *profiles.Spec) lifecycle.Policy {
	p := lifecycle.Policy{
		CCP: s.CCP, OneShot: s.OneShot,
		LaunchTimeout: s.LaunchTimeout, LaunchCap: launchCapFactor * s.LaunchTimeout,
		StopWait: s.StopWait, Restart: s.Restart,
	}
	if s.LaunchMode == "manual" { // a person starts it, each time, and may halt it at any line
		p.LaunchTimeout, p.LaunchCap = 0, 0
		p.Restart = lifecycle.RestartPolicy{Mode: lifecycle.Never}
	}
	return p
}

// launchCapFactor bounds how far progress reports extend launchTimeout.
const launchCapFactor = 10
