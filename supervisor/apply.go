package supervisor

import (
	"cmp"
	"context"
	"slices"
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
		s.change(ctx, c, msg)
	}
	s.link()
	return nil
}

// change carries out one change.
func (s *Supervisor) change(ctx context.Context, c profiles.Change, msg applyMsg) {
	n := s.nodes[KeyOf(cmp.Or(c.New, c.Old))]
	switch {
	case c.Kind == profiles.ChangeStart && c.Old == nil:
		s.admit(ctx, c.New, msg)
	case n == nil: // it is gone already
	case c.Kind == profiles.ChangeStart:
		n.enable(c, msg.by)
	case c.Kind == profiles.ChangeStop && c.New == nil:
		n.dismiss(msg.by)
	case c.Kind == profiles.ChangeStop:
		n.disable(c, msg.by)
	default:
		n.respec(c.New, c.Kind == profiles.ChangeUpdate, msg.by)
	}
}

// admit adds an instance and starts it when it is wanted. One that is still on
// its way out is kept and gets the new definition.
func (s *Supervisor) admit(ctx context.Context, spec *profiles.Spec, msg applyMsg) {
	k := KeyOf(spec)
	if n := s.nodes[k]; n != nil && n.leaving {
		n.leaving = false
		n.respec(spec, false, msg.by)
		if startsItself(spec) {
			n.raise(lifecycle.Event{Kind: lifecycle.EvStart, Cause: lifecycle.CauseReload, By: msg.by})
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
	case before.Rests:
		s.rest(ctx, spec, before, msg.by)
		return
	}
	n := s.add(spec, lifecycle.Machine{Generation: before.Generation, Since: time.Now()})
	s.wg.Go(func() { n.actor.run(ctx) })
	if startsItself(spec) && !before.Down {
		n.raise(lifecycle.Event{Kind: lifecycle.EvStart, Cause: lifecycle.CauseReload, By: msg.by})
	}
}

// readmit adds an instance whose generation an earlier supervisor has launched,
// and goes on with what was wanted of it.
func (s *Supervisor) readmit(ctx context.Context, spec *profiles.Spec, before Restored, by string) {
	desired := lifecycle.Up
	if before.Down {
		desired = lifecycle.Down
	}
	m := lifecycle.Resume(before.Last, desired)
	m.Since = time.Now()
	n := newNode(s, spec, m)
	n.actor.adopt(ctx, Adoption{Generation: before.Generation, Status: m.Status, State: m.State, Live: before.Live})
	s.place(n)
	s.wg.Go(func() { n.actor.run(ctx) })
	switch {
	case before.Down:
		n.hold(lifecycle.Event{Kind: lifecycle.EvStop, Cause: lifecycle.CauseCommand, By: by})
	case before.Changed:
		n.hold(lifecycle.Event{Kind: lifecycle.EvRestart, Cause: lifecycle.CauseReload, By: by, Detail: "definition changed"})
	}
}

// rest adds an instance that is left at rest as an earlier supervisor has left
// it.
func (s *Supervisor) rest(ctx context.Context, spec *profiles.Spec, before Restored, by string) {
	m := lifecycle.Resume(before.Last, lifecycle.Up)
	m.Since = before.Since
	n := s.add(spec, m)
	n.actor.exitAt = before.Since
	s.wg.Go(func() {
		n.actor.publish()
		n.actor.run(ctx)
	})
	if before.Down {
		n.hold(lifecycle.Event{Kind: lifecycle.EvStop, Cause: lifecycle.CauseCommand, By: by})
	}
}

func (s *Supervisor) add(spec *profiles.Spec, m lifecycle.Machine) *node {
	n := newNode(s, spec, m)
	s.place(n)
	return n
}

func newNode(s *Supervisor, spec *profiles.Spec, m lifecycle.Machine) *node {
	return &node{key: KeyOf(spec), spec: spec, actor: newActor(s, spec, m)}
}

// place shows an instance to whoever looks: by then one that lives has been
// adopted, so that nobody finds it alive and out of reach.
func (s *Supervisor) place(n *node) {
	n.actor.publish()
	s.nodes[n.key] = n
	s.setActor(n.key, n.actor)
}

// startsItself reports whether an instance is to run because the plan says so:
// others wait for an operator or for their time.
func startsItself(spec *profiles.Spec) bool {
	return spec.Enabled && spec.LaunchMode != "none" && spec.Schedule == ""
}

// enable starts an instance that was known and not to be run. One that an
// operator has started goes on, unless its definition differs.
func (n *node) enable(c profiles.Change, by string) {
	n.respec(c.New, c.Old.Hash == c.New.Hash, by)
	if startsItself(c.New) {
		n.raise(lifecycle.Event{Kind: lifecycle.EvStart, Cause: lifecycle.CauseReload, By: by})
	}
}

// disable stops an instance that stays in the plan.
func (n *node) disable(c profiles.Change, by string) {
	n.respec(c.New, true, by)
	n.hold(lifecycle.Event{Kind: lifecycle.EvStop, Cause: lifecycle.CauseReload, By: by})
}

// dismiss takes an instance out of the plan: it stops by its old rules and is
// dropped when it is at rest.
func (n *node) dismiss(by string) {
	n.leaving = true
	n.hold(lifecycle.Event{Kind: lifecycle.EvStop, Cause: lifecycle.CauseReload, By: by})
}

func (n *node) respec(spec *profiles.Spec, live bool, by string) {
	n.spec = spec
	n.actor.mail.put(respecMsg{spec: spec, live: live, by: by})
}

// noticed looks at an instance whose view has changed.
func (s *Supervisor) noticed(k Key) {
	n := s.nodes[k]
	if n == nil {
		return
	}
	if s.opts.Changed != nil {
		s.opts.Changed()
	}
	v := n.view()
	s.watchGroup(n, v)
	// While the journal refuses its end, it stays: nothing else remembers it.
	if n.leaving && n.isSettled(v) && v.AtRest() && v.Machine.Desired == lifecycle.Down && v.Fault == nil {
		s.drop(n)
	}
}

// drop forgets an instance. Nodes that still point to it see it gone.
func (s *Supervisor) drop(n *node) {
	a := n.actor
	n.actor = nil
	delete(s.nodes, n.key)
	s.list = slices.DeleteFunc(s.list, func(o *node) bool { return o == n })
	s.setActor(n.key, nil)
	a.mail.put(retireMsg{})
	if s.opts.Forget != nil {
		s.opts.Forget(n.key)
	}
}
