package controller

import (
	"context"
	"errors"
	"slices"
)

// errNodeGone ends what waits for an answer of a node that has gone.
var errNodeGone = errors.New("the node has gone")

// member is another node, or this one, for as long as it is there.
type member struct {
	life     context.Context // ends when it goes
	end      context.CancelFunc
	start    string // differs from one start of the node to the next
	revision uint64 // of its lease
	misses   int    // how often in a row it did not answer
}

func newMember() *member {
	var m member
	m.life, m.end = context.WithCancel(context.Background())
	return &m
}

// nodeCame takes in the lease of a node, and tells whether the node is new. One
// that was started anew is: what the one before it had not answered, it never will.
func (r *registry) nodeCame(name, start string, revision uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.nodes[name]
	if m != nil && m.start != "" && m.start != start {
		m.end()
		m = nil
	}
	if m == nil {
		m = newMember()
		r.nodes[name] = m
		r.markChannelsOf(name)
	}
	first := m.revision == 0
	m.start = start
	m.revision = max(m.revision, revision)
	return first
}

// nodeGone takes in that a node has gone.
func (r *registry) nodeGone(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.nodes[name]; m != nil {
		m.end()
		delete(r.nodes, name)
	}
	r.markChannelsOf(name)
}

// markChannelsOf has the elector look at the targets of a node; r.mu must be held.
func (r *registry) markChannelsOf(node string) {
	for _, e := range r.channels {
		if e.Node == node && e.link == nil {
			r.mark(e.Target)
		}
	}
}

// leftBehind returns the channels of nodes that are not there.
func (r *registry) leftBehind() (all []entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.channels {
		if e.link == nil && r.nodes[e.Node] == nil {
			all = append(all, *e)
		}
	}
	return all
}

// whileThere returns a context that ends with ctx, or with errNodeGone as its
// cause when a node goes; nil if the node is not there.
func (r *registry) whileThere(ctx context.Context, name string) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	m := r.nodes[name]
	r.mu.Unlock()
	if m == nil {
		return nil, nil
	}
	there, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(m.life, func() { cancel(errNodeGone) })
	return there, func() { stop(); cancel(nil) }
}

// hasNode tells whether a node is there.
func (r *registry) hasNode(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[name] != nil
}

// nodeNames returns the nodes that are there, this one among them.
func (r *registry) nodeNames() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.nodes))
	for name := range r.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
