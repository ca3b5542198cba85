package supervisor

import (
	"context"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// apply carries out a diff. Stops come first in the message order of each
// instance, starts pass the gates.
func (s *Supervisor) apply(ctx context.Context, msg applyMsg) error {
	if len(s.drains) > 0 {
		return ErrDraining
	}
	s.order = msg.order
	s.regroup(msg.groups)
	for _, c := range msg.changes {
		switch c.Kind {
		case profiles.ChangeStart:
			if c.Old != nil {
				s.enable(c, msg.by)
				continue
			}
			s.admit(ctx, c.New, msg)
		case profiles.ChangeStop:
			if c.New != nil {
				s.disable(c, msg.by)
				continue
			}
			s.dismiss(KeyOf(c.Old), msg.by)
		case profiles.ChangeRestart:
			s.respec(c.New, false, msg.by)
		case profiles.ChangeUpdate:
			s.respec(c.New, true, msg.by)
		}
	}
	s.link()
	return nil
}

// admit adds an instance and starts it when it is wanted. One that is still on
// its way out is kept and gets the new definition.
func (s *Supervisor) admit(ctx context.Context, spec *profiles.Spec, msg applyMsg) {
	k := KeyOf(spec)
	if s.leaving[k] {
		delete(s.leaving, k)
		s.respec(spec, false, msg.by)
		if startsItself(spec) {
			s.raise(k, lifecycle.Event{Kind: lifecycle.EvStart, Cause: lifecycle.CauseReload, By: msg.by})
		}
		return
	}
	before := msg.restore[k]
	switch {
	case before.Handed != nil:
		s.resume(ctx, spec, before, msg.by)
		return
	case before.Live != nil:
		s.readmit(ctx, spec, before, msg.by)
		return
	}
	a := newActor(s, spec, lifecycle.Machine{Generation: before.Generation, Since: time.Now()})
	s.specs[k] = spec
	s.setActor(k, a)
	s.wg.Go(func() { a.run(ctx) })
	if startsItself(spec) && !before.Down {
		s.raise(k, lifecycle.Event{Kind: lifecycle.EvStart, Cause: lifecycle.CauseReload, By: msg.by})
	}
}

// readmit adds an instance whose generation an earlier supervisor has launched,
// and goes on with what was wanted of it.
func (s *Supervisor) readmit(ctx context.Context, spec *profiles.Spec, before Restored, by string) {
	k := KeyOf(spec)
	desired := lifecycle.Up
	if before.Down {
		desired = lifecycle.Down
	}
	m := lifecycle.Resume(before.Last, desired)
	m.Since = time.Now()
	a := newActor(s, spec, m)
	s.specs[k] = spec
	s.setActor(k, a)
	s.wg.Go(func() {
		a.adopt(ctx, Adoption{Generation: before.Generation, Status: m.Status, State: m.State, Live: before.Live})
		a.run(ctx)
	})
	switch {
	case before.Down:
		s.hold(k, lifecycle.Event{Kind: lifecycle.EvStop, Cause: lifecycle.CauseCommand, By: by})
	case before.Changed:
		s.hold(k, lifecycle.Event{Kind: lifecycle.EvRestart, Cause: lifecycle.CauseReload, By: by, Detail: "definition changed"})
	}
}

// startsItself reports whether an instance is to run because the plan says so:
// others wait for an operator or for their time.
func startsItself(spec *profiles.Spec) bool {
	return spec.Enabled && spec.LaunchMode != "none" && spec.Schedule == ""
}

// enable starts an instance that was known and not to be run. One that an
// operator has started goes on, unless its definition differs.
func (s *Supervisor) enable(c profiles.Change, by string) {
	s.respec(c.New, c.Old.Hash == c.New.Hash, by)
	if !startsItself(c.New) {
		return
	}
	s.raise(KeyOf(c.New), lifecycle.Event{Kind: lifecycle.EvStart, Cause: lifecycle.CauseReload, By: by})
}

// disable stops an instance that stays in the plan.
func (s *Supervisor) disable(c profiles.Change, by string) {
	s.respec(c.New, true, by)
	s.hold(KeyOf(c.Old), lifecycle.Event{Kind: lifecycle.EvStop, Cause: lifecycle.CauseReload, By: by})
}

// dismiss takes an instance out of the plan: it stops by its old rules and is
// dropped when it is at rest.
func (s *Supervisor) dismiss(k Key, by string) {
	if s.actor(k) == nil {
		return
	}
	s.leaving[k] = true
	s.hold(k, lifecycle.Event{Kind: lifecycle.EvStop, Cause: lifecycle.CauseReload, By: by})
}

func (s *Supervisor) respec(spec *profiles.Spec, live bool, by string) {
	s.specs[KeyOf(spec)] = spec
	if a := s.actor(KeyOf(spec)); a != nil {
		a.mail.put(respecMsg{spec: spec, live: live, by: by})
	}
}

// noticed looks at an instance whose view has changed.
func (s *Supervisor) noticed(k Key) {
	a := s.actor(k)
	if a == nil {
		return
	}
	if s.opts.Changed != nil {
		s.opts.Changed()
	}
	v := a.view.Load()
	s.watchGroup(v)
	// While the journal refuses its end, it stays: nothing else remembers it.
	if s.leaving[k] && s.isSettled(a, v) && v.AtRest() && v.Machine.Desired == lifecycle.Down && v.Fault == nil {
		delete(s.leaving, k)
		delete(s.gates, k)
		delete(s.pending, k)
		delete(s.wanted, k)
		delete(s.specs, k)
		s.setActor(k, nil)
		a.mail.put(retireMsg{})
		if s.opts.Forget != nil {
			s.opts.Forget(k)
		}
	}
}

// intend spreads an operator's intent over the named instances.
func (s *Supervisor) intend(msg intentMsg) error {
	if kind := msg.event.Kind; kind == lifecycle.EvStart || kind == lifecycle.EvRestart {
		if len(s.drains) > 0 {
			return ErrDraining
		}
		for _, k := range msg.keys {
			s.forgive(k)
		}
	}
	switch msg.event.Kind {
	case lifecycle.EvStop, lifecycle.EvRestart:
		for _, k := range msg.keys {
			s.hold(k, msg.event)
		}
	case lifecycle.EvStart:
		for _, k := range s.withNeeds(msg.keys) {
			s.raise(k, msg.event)
		}
	default:
		for _, k := range msg.keys {
			delete(s.pending, k)
			delete(s.wanted, k)
			s.send(k, msg.event)
		}
	}
	return nil
}

// drain stops everything for good.
func (s *Supervisor) drain(msg drainMsg) {
	s.drains = append(s.drains, msg.drained)
	for k := range *s.actors.Load() {
		s.hold(k, msg.event)
	}
}

// drained answers those who wait for everything to be down, once it is.
func (s *Supervisor) drained() {
	for _, a := range *s.actors.Load() {
		v := a.view.Load()
		if !s.isSettled(a, v) || !v.AtRest() && !stuck(v) {
			return
		}
	}
	for i, answer := range s.drains {
		if answer != nil {
			answer <- nil
			s.drains[i] = nil
		}
	}
}

// isSettled reports whether v shows all that its actor was told: an older view
// may look at rest while a start is on its way.
func (s *Supervisor) isSettled(a *actor, v *View) bool {
	p, pending := s.pending[a.key]
	return v.heard >= a.told && !(pending && p.sent == 0)
}

// raise holds a start back until evaluate has set the gates for all that come
// up together.
func (s *Supervisor) raise(k Key, e lifecycle.Event) {
	delete(s.pending, k)
	s.wanted[k] = start{event: e}
}

// send gives an actor an event and returns the serial by which its views show
// that it was heard.
func (s *Supervisor) send(k Key, e lifecycle.Event) uint64 {
	s.serial++
	if a := s.actor(k); a != nil {
		a.told = s.serial
		a.mail.put(eventMsg{Event: e, serial: s.serial})
	}
	return s.serial
}

// hold keeps a stop back until evaluate finds that no dependent is in its way.
func (s *Supervisor) hold(k Key, e lifecycle.Event) {
	delete(s.wanted, k)
	s.pending[k] = pendingStop{event: e, waited: map[Key]bool{}}
}

// impose is hold for what the supervisor decides by itself: it does not undo a
// stop that somebody asked for.
func (s *Supervisor) impose(k Key, e lifecycle.Event) {
	if p, ok := s.pending[k]; ok && p.event.Kind == lifecycle.EvStop {
		return
	}
	s.hold(k, e)
}

// evaluate brings gates, held starts and stops, and hard links in line with the
// views. Gates are set before anything moves, so that nobody slips through one
// that this very move closes.
func (s *Supervisor) evaluate() {
	free := s.freeStops()
	for _, a := range *s.actors.Load() {
		v := a.view.Load()
		s.setGate(a, v)
		if lost := s.lost(v); lost != "" {
			s.yield(a, v, lost, "")
		}
	}
	s.sendStarts()
	for _, k := range free {
		p := s.pending[k]
		p.sent = s.send(k, p.event)
		s.pending[k] = p
	}
}

// sendStarts sends the starts that were held back, and forgets those which the
// views show by now.
func (s *Supervisor) sendStarts() {
	for k, w := range s.wanted {
		a := s.actor(k)
		switch {
		case a == nil || (w.sent != 0 && a.view.Load().heard >= w.sent):
			delete(s.wanted, k)
		case w.sent == 0:
			s.wanted[k] = start{w.event, s.send(k, w.event)}
		}
	}
}

// setGate tells an actor when what it would have to wait for has changed.
func (s *Supervisor) setGate(a *actor, v *View) {
	gate := s.gateOf(v)
	if gate == s.gates[a.key] {
		return
	}
	s.gates[a.key] = gate
	kind := lifecycle.EvGateClosed
	if gate == "" {
		kind = lifecycle.EvGateOpen
	}
	a.mail.put(eventMsg{Event: lifecycle.Event{Kind: kind, Cause: lifecycle.CauseDependency, Detail: gate}})
}

// yield tells the generation that v shows to go down and wait at its gate; a
// later generation does not hear it.
func (s *Supervisor) yield(a *actor, v *View, why, by string) {
	a.mail.put(eventMsg{
		Event: lifecycle.Event{
			Kind: lifecycle.EvDependency, Generation: v.Machine.Generation,
			Cause: lifecycle.CauseDependency, By: by, Detail: why,
		},
	})
}

// freeStops lists the held stops whose living dependents are down, and forgets
// those that were heard. It looks at all of them before any is sent, so that
// one which goes now is still waited for by those that it depends on.
func (s *Supervisor) freeStops() []Key {
	var free []Key
	for k, p := range s.pending {
		a := s.actor(k)
		switch {
		case a == nil || (p.sent != 0 && a.view.Load().heard >= p.sent):
			delete(s.pending, k)
			continue
		case p.sent != 0:
			continue
		}
		if a.view.Load().AtRest() || !s.blocked(k, p) {
			free = append(free, k)
		}
	}
	return free
}

// blocked reports whether some dependent of k still has to go first.
func (s *Supervisor) blocked(k Key, p pendingStop) bool {
	blocked := false
	for _, d := range s.followers(k) {
		da := s.actor(d.key)
		if da == nil {
			continue
		}
		v := da.view.Load()
		if v.AtRest() || stuck(v) {
			continue
		}
		_, stopping := s.pending[d.key]
		if !stopping && d.soft && !p.waited[d.key] {
			continue
		}
		blocked = true
		p.waited[d.key] = true
		if !stopping && !d.soft && v.Machine.Status != lifecycle.Stopping {
			s.setGate(da, v)
			s.yield(da, v, k.Name+" is going down", p.event.By)
		}
	}
	return blocked
}

// stuck reports whether force was used on an instance and something of it is
// still there; others do not wait for it.
func stuck(v *View) bool {
	return v.Machine.Status == lifecycle.Stopping && strings.HasPrefix(v.Machine.Reason, "unkillable")
}
