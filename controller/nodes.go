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
	life context.Context // ends when it goes
	end  context.CancelFunc
}

func newMember() *member {
	var m member
	m.life, m.end = context.WithCancel(context.Background())
	return &m
}

// nodeCame takes in that a node is there, and tells whether that is news.
func (r *registry) nodeCame(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.nodes[name] != nil {
		return false
	}
	r.nodes[name] = newMember()
	r.channelsOf(name)
	return true
}

// nodeGone takes in that a node has gone, and returns the channels that went
// with it.
func (r *registry) nodeGone(name string) []Channel {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.nodes[name]; m != nil {
		m.end()
		delete(r.nodes, name)
	}
	return r.channelsOf(name)
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

// channelsOf returns the channels of another node, and marks their targets; r.mu
// must be held.
func (r *registry) channelsOf(node string) (all []Channel) {
	for _, e := range r.channels {
		if e.Node == node && e.link == nil {
			r.mark(e.Target)
			all = append(all, e.Channel)
		}
	}
	return all
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
