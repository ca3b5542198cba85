package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// rounds is into how many groups the channels are divided, so that not all of
// them are checked at one moment.
const rounds = 16

// health knows which channel is to be checked when.
type health struct {
	mu     sync.Mutex // guards all below
	groups [rounds]map[*link]bool
	group  map[*link]int
	next   int
}

func newHealth() *health {
	h := &health{group: make(map[*link]int)}
	for i := range h.groups {
		h.groups[i] = make(map[*link]bool)
	}
	return h
}

// add has a channel checked for the first time about one interval from now.
func (h *health) add(l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.group[l] = (h.next + rounds - 1) % rounds
	h.groups[h.group[l]][l] = true
}

func (h *health) remove(l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.groups[h.group[l]], l)
	delete(h.group, l)
}

// due returns the next group.
func (h *health) due() []*link {
	h.mu.Lock()
	defer h.mu.Unlock()
	links := make([]*link, 0, len(h.groups[h.next]))
	for l := range h.groups[h.next] {
		links = append(links, l)
	}
	h.next = (h.next + 1) % rounds
	return links
}

// checkHealth checks each channel once per interval, and ends those that fail.
// A channel that hangs delays no other.
func (c *Controller) checkHealth(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(c.o.HealthInterval / rounds)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, l := range c.health.due() {
			if l.over.Load() || l.checking.Swap(true) {
				continue
			}
			wg.Go(func() {
				defer l.checking.Store(false)
				c.check(ctx, l)
			})
		}
	}
}

func (c *Controller) check(ctx context.Context, l *link) {
	timed, cancel := context.WithTimeout(ctx, c.o.HealthTimeout)
	defer cancel()
	why := l.unhealthy(timed)
	if why == nil || ctx.Err() != nil || l.over.Load() {
		return
	}
	c.event(Event{Kind: ChannelUnhealthy, Target: l.target, Channel: l.id, Detail: why.Error()})
	c.end(l, true, 0)
}

// unhealthy returns what is wrong with a channel, nil if nothing is.
func (l *link) unhealthy(ctx context.Context) error {
	reply, err := l.own(ctx, exchange.TypeHealthCheck, nil)
	switch {
	case errors.Is(err, exchange.ErrUnknown), errors.Is(err, exchange.ErrNoReply):
		return nil // it answers, and has no health of its own to tell
	case err != nil:
		return err
	case reply.Err() != nil:
		return reply.Err()
	}
	var h exchange.Health
	if err := json.Unmarshal(reply.Payload, &h); err != nil {
		return fmt.Errorf("cannot read its health: %w", err)
	}
	if !h.Healthy {
		return fmt.Errorf("it says so: %s", h.Detail)
	}
	return nil
}
