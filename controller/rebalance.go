package controller

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// DefaultRebalanceDelay is after how long channels move to a controller that
// has joined.
const DefaultRebalanceDelay = time.Minute

// RebalanceOptions of a Controller.
type RebalanceOptions struct {
	Disabled bool
	Delay    time.Duration // after the last of several joins
}

// rebalance tells some connectors to come back when another controller has
// joined, so that it gets its share.
func (c *Controller) rebalance(ctx context.Context) error {
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.joined:
			if !c.o.Rebalance.Disabled {
				due.Reset(c.o.Rebalance.Delay)
			}
		case <-due.C:
			c.shed()
		}
	}
}

// shed ends the channels that this node has too many of.
func (c *Controller) shed() {
	nodes := len(c.registry.nodeNames())
	all := make(map[string]int)
	for _, ch := range c.Channels() {
		all[ch.Target]++
	}
	here := make(map[string][]*link)
	for _, l := range c.registry.links() {
		here[l.target] = append(here[l.target], l)
	}
	var wg sync.WaitGroup
	for target, links := range here {
		primary := c.registry.look(target).record.Channel
		for _, l := range surplus(links, all[target], nodes, primary) {
			wg.Go(func() { c.end(l, true, c.o.DrainTimeout) })
		}
	}
	wg.Wait()
}

// surplus picks the channels of a target that a node has beyond its share of
// all, but only idle ones, and the primary last.
func surplus(links []*link, all, nodes int, primary string) []*link {
	share := (all + nodes - 1) / nodes
	many := len(links) - share
	idle := slices.DeleteFunc(slices.Clone(links), func(l *link) bool { return l.inFlight() > 0 || l.over.Load() })
	slices.SortFunc(idle, func(a, b *link) int {
		if (a.id == primary) != (b.id == primary) {
			if a.id == primary {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.id, b.id)
	})
	return idle[:max(0, min(many, len(idle)))]
}
