package election

import "fmt"

// The model of a target whose primary moves: controllers that decide on what
// they see, an engine that holds the record, peers that act while they believe
// to be primary, and something outside that is acted upon.
//
// Every step may happen at any time that its condition allows, and none has to.
// So most of what goes wrong in a fleet needs no word of its own:
//
//   - A message that is lost is a step that never comes; one that is late comes
//     after steps it should have come before.
//   - A connection ends for a peer when it ends for the peer, be it through a cut
//     of both directions, of one, or a link that flaps. What controllers hold of
//     it may be wrong either way: a candidate is who a controller takes for one.
//   - A lease ends at any time after it began. Nothing relies on clocks that agree.
//
// Two things have one: a peer may be paused between any two steps, and a
// controller may be cut off from the engine. Only these, or a lost connection,
// make a primary one that may be replaced.

// The largest system the model has room for.
const (
	maxControllers = 3
	maxPeers       = 3
	maxTerms       = 3
	maxChannels    = maxControllers * maxPeers
)

// rules are the system that is explored, and what may be left out of it to see
// what it is there for.
type rules struct {
	controllers, peers, terms int
	noFence                   bool // what is acted upon takes effects of any term
	noCompare                 bool // records are written whatever was there before
}

// channel is a connection of a peer to a controller; none is nobody's.
type channel uint8

const none channel = 0

func channelOf(controller, peer int) channel { return channel(1 + controller*maxPeers + peer) }

func (c channel) peer() int       { return int(c-1) % maxPeers }
func (c channel) controller() int { return int(c-1) / maxPeers }

// record is Record in little room.
type record struct {
	channel channel
	term    uint8
}

// peer is one of the target's connectors with what it runs as the primary.
type peer struct {
	on     channel // the connection, as the peer sees it
	told   uint8   // the term in which it believes to be primary
	leased bool    // it believes so without a connection
	seen   uint8   // the highest term it was told of; on disk
	runs   uint8   // the term in which what it runs acts
	paused bool
}

// controller is one of those that decide.
type controller struct {
	seen record // written by whomever
	cut  bool   // from the engine
}

// model is one state of the system.
type model struct {
	peers       [maxPeers]peer
	controllers [maxControllers]controller
	record      record // in the engine
	revision    uint8

	acted  [maxTerms + 1]uint8 // by term, 1 + the peer that had an effect
	latest uint8               // the term of the latest effect
}

// step is what may happen next, and what it leads to.
type step struct {
	to    model
	wrong string // what must never be, if it is
	what  string // a format of a, b and c
	a, b  int
	term  uint8
}

func (s step) String() string { return fmt.Sprintf(s.what, s.a, s.b, s.term) }

// next adds all that may happen in a state to steps.
func (m model) next(r rules, steps []step) []step {
	for p := range r.peers {
		steps = m.ofPeer(r, p, steps)
	}
	for k := range r.controllers {
		steps = m.ofEngine(k, steps)
		steps = m.tell(r, k, steps)
		steps = m.decide(r, k, steps)
	}
	return steps
}

// ofPeer adds what peer p may do.
func (m model) ofPeer(r rules, p int, steps []step) []step {
	was := m.peers[p]
	change := func(now peer, what string) {
		to := m
		to.peers[p] = now
		steps = append(steps, step{to: to, what: what, a: p, term: now.told})
	}
	now := was
	if now.paused = !was.paused; was.paused {
		change(now, "peer %[1]d wakes")
		return steps
	}
	change(now, "peer %[1]d is paused")
	switch now := was; was.on {
	case none:
		for k := range r.controllers {
			now.on = channelOf(k, p)
			change(now, fmt.Sprintf("peer %%[1]d connects to controller %d", k))
		}
	default:
		now.on, now.leased = none, was.told != 0
		change(now, "peer %[1]d has lost its connection")
	}
	if now := was; was.leased {
		now.leased, now.told = false, 0
		change(now, "peer %[1]d is at the end of its lease")
	}
	switch now := was; {
	case was.told == 0 && was.runs != 0:
		now.runs = 0
		change(now, "peer %[1]d has stopped what it ran")
	case was.told != 0 && !was.leased && was.runs != was.told:
		now.runs = was.told
		change(now, "peer %[1]d runs in term %[3]d")
	}
	if was.runs != 0 {
		steps = append(steps, m.act(r, p))
	}
	return steps
}

// act has an effect outside, which carries its term.
func (m model) act(r rules, p int) step {
	term := m.peers[p].runs
	s := step{to: m, what: "peer %[1]d acts in term %[3]d", a: p, term: term}
	outside := Fence{highest: uint64(m.latest)}
	if !r.noFence && !outside.Admit(uint64(term)) {
		return s
	}
	switch by := m.acted[term]; {
	case by != 0 && by != uint8(p+1):
		s.wrong = "two peers have acted in one term"
	case term < m.latest:
		s.wrong = "an effect of a term that was over"
	}
	s.to.acted[term], s.to.latest = uint8(p+1), term
	return s
}

// ofEngine adds what becomes of controller k's connection to the engine.
func (m model) ofEngine(k int, steps []step) []step {
	was := m.controllers[k]
	to := m
	if to.controllers[k].cut = !was.cut; was.cut {
		return append(steps, step{to: to, what: "controller %[1]d is back at the engine", a: k})
	}
	steps = append(steps, step{to: to, what: "controller %[1]d is cut off from the engine", a: k})
	if was.seen != m.record {
		to := m
		to.controllers[k].seen = m.record
		steps = append(steps, step{to: to, what: "controller %[1]d sees the record", a: k})
	}
	return steps
}

// tell adds PRIMARY from controller k, as it arrives at peers.
func (m model) tell(r rules, k int, steps []step) []step {
	of := m.controllers[k].seen
	for p := range r.peers {
		seen := Fence{highest: uint64(m.peers[p].seen)}
		if of.term == 0 || m.peers[p].paused || m.peers[p].on != channelOf(k, p) || !seen.Admit(uint64(of.term)) {
			continue
		}
		to := m
		now := &to.peers[p]
		now.seen, now.leased, now.told = of.term, false, 0
		if of.channel == now.on {
			now.told = of.term
		}
		steps = append(steps, step{to: to, what: "controller %[1]d tells peer %[2]d of term %[3]d", a: k, b: p, term: of.term})
	}
	return steps
}

// decide adds what controller k writes, with each candidate that it may see.
func (m model) decide(r rules, k int, steps []step) []step {
	v := m.controllers[k].seen
	switch {
	case m.controllers[k].cut, v.term != m.record.term && !r.noCompare:
		return steps // the write does not arrive, or is refused
	case v.term == m.record.term && m.living(), int(m.revision) == r.terms:
		return steps // there is nothing to decide, or it is beyond the model
	}
	name := func(c channel) string { return string(rune('a' + c)) }
	for c := none; c <= maxChannels; c++ {
		if c != none && (c.peer() >= r.peers || c >= channelOf(r.controllers, 0)) {
			continue
		}
		var candidates []string
		if c != none {
			candidates = []string{name(c)}
		}
		d := Decide(Record{name(v.channel), uint64(v.term)}, candidates, func(int) int { return 0 })
		if d.Action == Keep {
			continue
		}
		to := m
		to.revision++
		to.record = record{c, to.revision}
		switch {
		case d.Action == Vacate:
			to.record = record{}
		case r.noCompare:
			to.record.term = v.term + 1 // a term of one's own making
		}
		to.controllers[k].seen = to.record
		steps = append(steps, step{to: to, what: "controller %[1]d writes that peer %[2]d is primary in term %[3]d", a: k, b: (int(c) + maxPeers - 1) % maxPeers, term: to.record.term})
	}
	return steps
}

// living tells whether the record is that of a primary that nobody doubts.
func (m model) living() bool {
	c := m.record.channel
	if m.record.term == 0 {
		return false
	}
	p := m.peers[c.peer()]
	return p.on == c && !p.paused && !m.controllers[c.controller()].cut
}
