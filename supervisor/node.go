package supervisor

import (
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// node is what the owner of the plan knows of one instance: its actor, what is
// on its way to it, and its place among the others.
type node struct {
	key     Key
	actor   *actor // nil once the instance is gone
	spec    *profiles.Spec
	leaving bool   // out of the plan, going down
	gate    string // what the actor was last told
	crashed uint64 // generation of the last crash that its group counted

	pending *pendingStop // a stop that waits for dependents to go first
	wanted  *start       // a start that the view does not show yet

	// By link:
	place  int // in the start order; -1 out of the plan
	needs  []need
	after  []follower
	before []*node // those that its launchOrder waits for
	group  *grouping
}

// pendingStop is a stop or restart held back until the dependents are down.
type pendingStop struct {
	event  lifecycle.Event
	waited map[*node]bool // dependents it has waited for
	sent   uint64         // its serial; 0 while it is held back
}

// start is an intent to start on its way to its actor.
type start struct {
	event lifecycle.Event
	sent  uint64 // its serial; 0 while it is held back
}

func (n *node) view() *View { return n.actor.view.Load() }

// raise holds a start back until evaluate has set the gates for all that come
// up together.
func (n *node) raise(e lifecycle.Event) {
	n.pending, n.wanted = nil, &start{event: e}
}

// hold keeps a stop back until evaluate finds that no dependent is in its way.
func (n *node) hold(e lifecycle.Event) {
	n.wanted, n.pending = nil, &pendingStop{event: e, waited: map[*node]bool{}}
}

// impose is hold for what the supervisor decides by itself: it does not undo a
// stop that somebody asked for.
func (n *node) impose(e lifecycle.Event) {
	if n.pending == nil || n.pending.event.Kind != lifecycle.EvStop {
		n.hold(e)
	}
}

// isSettled reports whether v shows all that the actor was told: an older view
// may look at rest while a start is on its way.
func (n *node) isSettled(v *View) bool {
	return v.heard >= n.actor.told && (n.pending == nil || n.pending.sent != 0)
}

// comingUp reports whether an instance that is not started is on its way.
func (n *node) comingUp() bool {
	if n.wanted != nil {
		return true
	}
	m := n.view().Machine
	return m.Desired == lifecycle.Up && m.Status != lifecycle.Failed && m.Status != lifecycle.Completed
}
