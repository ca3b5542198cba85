package supervisor

import "github.com/seed-04209a44/peerd/lifecycle"

// intend spreads an operator's intent over the named instances.
func (s *Supervisor) intend(msg intentMsg) error {
	if kind := msg.event.Kind; kind == lifecycle.EvStart || kind == lifecycle.EvRestart {
		if len(s.drains) > 0 {
			return ErrDraining
		}
		s.each(msg.keys, func(n *node) { n.group.forgive() })
	}
	switch msg.event.Kind {
	case lifecycle.EvStop, lifecycle.EvRestart:
		s.each(msg.keys, func(n *node) { n.hold(msg.event) })
	case lifecycle.EvStart:
		for _, n := range s.withNeeds(msg.keys) {
			n.raise(msg.event)
		}
	default:
		s.each(msg.keys, func(n *node) {
			n.pending, n.wanted = nil, nil
			s.send(n, msg.event)
		})
	}
	return nil
}

// each calls do for those of keys that are known.
func (s *Supervisor) each(keys []Key, do func(*node)) {
	for _, k := range keys {
		if n := s.nodes[k]; n != nil {
			do(n)
		}
	}
}

// drain stops everything for good.
func (s *Supervisor) drain(msg drainMsg) {
	s.drains = append(s.drains, msg.drained)
	for _, n := range s.list {
		n.hold(msg.event)
	}
}

// drained answers those who wait for everything to be down, once it is.
func (s *Supervisor) drained() {
	if len(s.drains) == 0 {
		return
	}
	for _, n := range s.list {
		v := n.view()
		if !n.isSettled(v) || !v.AtRest() && !stuck(v) {
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

// send gives an actor an event and returns the serial by which its views show
// that it was heard.
func (s *Supervisor) send(n *node, e lifecycle.Event) uint64 {
	s.serial++
	n.actor.told = s.serial
	n.actor.mail.put(eventMsg{Event: e, serial: s.serial})
	return s.serial
}

// evaluate brings gates, held starts and stops, and hard links in line with the
// views. Gates are set before anything moves, so that nobody slips through one
// that this very move closes.
func (s *Supervisor) evaluate() {
	free := s.freeStops()
	for _, n := range s.list {
		v := n.view()
		s.setGate(n)
		if lost := s.lost(n, v); lost != "" {
			n.yield(v, lost, "")
		}
	}
	s.sendStarts()
	for _, n := range free {
		n.pending.sent = s.send(n, n.pending.event)
	}
}

// sendStarts sends the starts that were held back, and forgets those which the
// views show by now.
func (s *Supervisor) sendStarts() {
	for _, n := range s.list {
		switch w := n.wanted; {
		case w == nil:
		case w.sent == 0:
			w.sent = s.send(n, w.event)
		case n.view().heard >= w.sent:
			n.wanted = nil
		}
	}
}

// setGate tells an actor when what it would have to wait for has changed.
func (s *Supervisor) setGate(n *node) {
	gate := s.gateOf(n)
	if gate == n.gate {
		return
	}
	n.gate = gate
	kind := lifecycle.EvGateClosed
	if gate == "" {
		kind = lifecycle.EvGateOpen
	}
	n.actor.mail.put(eventMsg{Event: lifecycle.Event{Kind: kind, Cause: lifecycle.CauseDependency, Detail: gate}})
}

// yield tells the generation that v shows to go down and wait at its gate; a
// later generation does not hear it.
func (n *node) yield(v *View, why, by string) {
	n.actor.mail.put(eventMsg{
		Event: lifecycle.Event{
			Kind: lifecycle.EvDependency, Generation: v.Machine.Generation,
			Cause: lifecycle.CauseDependency, By: by, Detail: why,
		},
	})
}

// freeStops lists the held stops whose living dependents are down, and forgets
// those that were heard. It looks at all of them before any is sent, so that
// one which goes now is still waited for by those that it depends on.
func (s *Supervisor) freeStops() []*node {
	var free []*node
	for _, n := range s.list {
		p := n.pending
		switch {
		case p == nil:
		case p.sent != 0:
			if n.view().heard >= p.sent {
				n.pending = nil
			}
		case n.view().AtRest() || !s.blocked(n):
			free = append(free, n)
		}
	}
	return free
}

// blocked reports whether some dependent of n still has to go first.
func (s *Supervisor) blocked(n *node) bool {
	blocked := false
	for _, f := range n.followers() {
		d := f.node
		if d.actor == nil {
			continue
		}
		v := d.view()
		if v.AtRest() || stuck(v) {
			continue
		}
		if d.pending == nil && f.soft && !n.pending.waited[d] {
			continue
		}
		blocked = true
		n.pending.waited[d] = true
		if d.pending == nil && !f.soft && v.Machine.Status != lifecycle.Stopping {
			s.setGate(d)
			d.yield(v, n.key.Name+" is going down", n.pending.event.By)
		}
	}
	return blocked
}
