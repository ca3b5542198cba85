package controller

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/seed-04209a44/peerd/controller/election"
)

// Channel is what every controller of a fleet knows of a channel.
type Channel struct {
	ID        string `json:"id"`
	Target    string `json:"targetId"`
	Active    bool   `json:"active"`
	Primary   bool   `json:"primary"`
	Node      string `json:"node"`      // the controller that has it
	Connector string `json:"connector"` // the connector's own name, "" if it has none
}

// primary is the record of a target's primary.
type primary struct {
	Channel   string `json:"channel"`
	Node      string `json:"node"`
	Connector string `json:"connector,omitempty"` // its name, if it has one
	revision  uint64
	inherited bool // it was there before this controller began
}

// entry is a channel in the registry.
type entry struct {
	Channel
	link     *link  // nil if another node has it
	revision uint64 // of the other node's announcement
}

// registry is this node's view of all channels. What is here of other nodes,
// and of primaries, may lag behind; nothing is decided without the engine.
type registry struct {
	mu        sync.Mutex // guards all below
	self      string
	nodes     map[string]*member
	channels  map[string]*entry
	targets   map[string]map[string]*entry
	primaries map[string]primary
	local     int
	dirty     map[string]bool // targets to be looked at
	wake      chan struct{}   // something is dirty
}

func newRegistry(self string) *registry {
	return &registry{
		self: self, nodes: map[string]*member{self: newMember()},
		channels: make(map[string]*entry), targets: make(map[string]map[string]*entry),
		primaries: make(map[string]primary), dirty: make(map[string]bool), wake: make(chan struct{}, 1),
	}
}

// put adds or changes a channel.
func (r *registry) put(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(e.ID)
	r.channels[e.ID] = &e
	if r.targets[e.Target] == nil {
		r.targets[e.Target] = make(map[string]*entry)
	}
	r.targets[e.Target][e.ID] = &e
	if e.link != nil {
		r.local++
	}
	r.mark(e.Target)
}

// announced takes in that the other nodes can know of a local channel: now it
// may be elected.
func (r *registry) announced(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.channels[id]; e != nil && e.link != nil && !e.link.announced.Swap(true) {
		r.mark(e.Target)
	}
}

// deactivate keeps a local channel in view, but for nothing to be sent to it.
func (r *registry) deactivate(id string) (was bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.channels[id]
	if e == nil || !e.Active {
		return false
	}
	e.Active = false
	r.mark(e.Target)
	return true
}

func (r *registry) delete(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(id)
}

// remove takes a channel out; r.mu must be held.
func (r *registry) remove(id string) {
	e := r.channels[id]
	if e == nil {
		return
	}
	delete(r.channels, id)
	delete(r.targets[e.Target], id)
	if len(r.targets[e.Target]) == 0 {
		delete(r.targets, e.Target)
	}
	if e.link != nil {
		r.local--
	}
	r.mark(e.Target)
}

// mark has the elector look at a target; r.mu must be held.
func (r *registry) mark(target string) {
	r.dirty[target] = true
	signal(r.wake)
}

// again has the elector look at a target once more.
func (r *registry) again(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mark(target)
}

// takeDirty returns the targets to be looked at.
func (r *registry) takeDirty() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	targets := slices.Collect(maps.Keys(r.dirty))
	clear(r.dirty)
	return targets
}

// setPrimary takes in a record, unless a newer one is here already.
func (r *registry) setPrimary(target string, p primary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.revision <= r.primaries[target].revision {
		return
	}
	r.primaries[target] = p
	r.mark(target)
}

// dropPrimary takes in that a record was deleted at a revision.
func (r *registry) dropPrimary(target string, revision uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.primaries[target]; ok && old.revision <= revision {
		delete(r.primaries, target)
		r.mark(target)
	}
}

// inherited returns the targets whose primary was there before this controller.
func (r *registry) inherited() (targets []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for target, p := range r.primaries {
		if p.inherited {
			targets = append(targets, target)
		}
	}
	return targets
}

// view is a target as this node sees it.
type view struct {
	record     primary
	candidates []string
	former     string  // of candidates: a channel of the connector that the record names
	links      []*link // local, active or not
	soon       bool    // a local one will be a candidate when the others know of it
}

func (v view) election() election.Record {
	return election.Record{Channel: v.record.Channel, Term: v.record.revision}
}

func (r *registry) look(target string) view {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view{record: r.primaries[target]}
	for id, e := range r.targets[target] {
		switch {
		case !r.usable(e):
		case e.link != nil && !e.link.announced.Load():
			v.soon = true
		default:
			v.candidates = append(v.candidates, id)
			if e.Connector != "" && e.Connector == v.record.Connector {
				v.former = id
			}
		}
		if e.link != nil {
			v.links = append(v.links, e.link)
		}
	}
	slices.Sort(v.candidates)
	return v
}

// usable tells whether commands may be sent to a channel; r.mu must be held.
func (r *registry) usable(e *entry) bool {
	return e.Active && (e.link != nil || r.nodes[e.Node] != nil)
}

// public is a channel as users see it; r.mu must be held.
func (r *registry) public(e *entry) Channel {
	ch := e.Channel
	ch.Active = r.usable(e)
	ch.Primary = ch.Active && r.primaries[ch.Target].Channel == ch.ID
	return ch
}

// candidatesOf returns the usable channels of a target to choose from.
func (r *registry) candidatesOf(target string) []candidate {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []candidate
	for _, e := range r.targets[target] {
		if r.usable(e) {
			all = append(all, candidate{Channel: r.public(e), link: e.link})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// there tells whether a target has a channel that commands may be sent to.
func (r *registry) there(target string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.targets[target] {
		if r.usable(e) {
			return true
		}
	}
	return false
}

// list returns the channels that keep returns true for, by target and ID.
func (r *registry) list(keep func(Channel) bool) []Channel {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Channel, 0, len(r.channels))
	for _, e := range r.channels {
		if ch := r.public(e); keep(ch) {
			all = append(all, ch)
		}
	}
	slices.SortFunc(all, func(a, b Channel) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// find returns a channel, and its link if it is local.
func (r *registry) find(id string) (Channel, *link, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.channels[id]
	if e == nil {
		return Channel{}, nil, false
	}
	return r.public(e), e.link, true
}

// links returns the local channels.
func (r *registry) links() []*link {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*link, 0, r.local)
	for _, e := range r.channels {
		if e.link != nil {
			all = append(all, e.link)
		}
	}
	return all
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.local
}
