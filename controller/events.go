package controller

import (
	"sync"
	"time"
)

// EventKind names what happened.
type EventKind string

// What can happen. Of PrimaryElected and PrimaryVacated each is told by the
// controller of a fleet that decided it, and by no other; by none if the engine
// took the decision, and its answer was lost.
const (
	ConnectorRefused EventKind = "connector.refused" // at the upgrade or at HELLO; Detail says why
	CommandRefused   EventKind = "command.refused"   // by the rules of Access; Detail is its type
	ChannelOpened    EventKind = "channel.opened"
	ChannelClosed    EventKind = "channel.closed"
	ChannelUnhealthy EventKind = "channel.unhealthy" // it will be closed
	ChannelTrouble   EventKind = "channel.trouble"   // late replies, panics, drops
	PrimaryElected   EventKind = "primary.elected"   // the target is there, and has a primary
	PrimaryVacated   EventKind = "primary.vacated"   // the target has gone: no channel is left
	PrimaryRefused   EventKind = "primary.refused"   // a channel answered PRIMARY with an error
	NodeCame         EventKind = "node.came"         // another controller has joined; Detail is its name
	NodeGone         EventKind = "node.gone"         // another controller has gone; Detail is its name
	BatchChanged     EventKind = "batch.changed"     // Detail is its status
	EngineTrouble    EventKind = "engine.trouble"    // a write failed, and will be tried again
)

// Event tells the edge what happened, so that it can log and count it. Fields
// that do not apply are empty.
type Event struct {
	Time     time.Time `json:"time"`
	Kind     EventKind `json:"kind"`
	Target   string    `json:"targetId,omitempty"`
	Channel  string    `json:"channelId,omitempty"`
	Identity string    `json:"identity,omitempty"`
	Batch    string    `json:"batchId,omitempty"`
	Term     uint64    `json:"term,omitempty"`
	Detail   string    `json:"detail,omitempty"`
}

// eventBuffer bounds how many events wait for one follower.
const eventBuffer = 256

// hub hands events to followers. The zero value is ready.
type hub struct {
	mu        sync.Mutex
	followers map[chan Event]bool
	ended     bool
}

// follow returns a channel of events; it is closed by leave, or when the
// follower has fallen behind by more than eventBuffer events.
func (h *hub) follow() (events <-chan Event, leave func()) {
	ch := make(chan Event, eventBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followers == nil {
		h.followers = make(map[chan Event]bool)
	}
	h.followers[ch] = true
	if h.ended {
		h.drop(ch)
	}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(ch)
	}
}

func (h *hub) publish(ev Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.followers {
		select {
		case ch <- ev:
		default:
			h.drop(ch)
		}
	}
}

// drop ends a follower once; h.mu must be held.
func (h *hub) drop(ch chan Event) {
	if h.followers[ch] {
		delete(h.followers, ch)
		close(ch)
	}
}

// end ends all followers, and those that come later at once.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for ch := range h.followers {
		h.drop(ch)
	}
}

func (c *Controller) event(ev Event) {
	ev.Time = time.Now()
	c.tally.event(ev.Kind)
	c.o.Observe(ev)
	c.hub.publish(ev)
}
