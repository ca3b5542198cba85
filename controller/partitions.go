package controller

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// partitionCount is into how many parts the targets are divided. Each part is
// one lease: the controller that holds it carries out the batches of its
// targets. It is fixed, as all controllers must agree on it.
const partitionCount = 16

// partitions are the leases on the parts.
type partitions struct {
	c *Controller

	mu   sync.Mutex             // guards held
	held [partitionCount]uint64 // revision of the lease; 0 if it is not ours
}

// partitionOf tells which part a target belongs to.
func partitionOf(target string) int {
	h := fnv.New32a()
	h.Write([]byte(target))
	return int(h.Sum32() % partitionCount)
}

// mine tells whether this node carries out the batches of a target.
func (p *partitions) mine(target string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[partitionOf(target)] != 0
}

// keep takes and renews the leases this node should have until ctx ends, and
// then gives them back. changed is called when it has got one.
func (p *partitions) keep(ctx context.Context, changed func()) {
	tick := time.NewTicker(p.c.o.Lease / 3)
	defer tick.Stop()
	for {
		nodes := p.c.registry.nodeNames()
		got := false
		for n := range partitionCount {
			got = p.settle(ctx, n, preferred(n, nodes) == p.c.node) || got
		}
		if got {
			changed()
		}
		select {
		case <-tick.C:
		case <-p.c.moved:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrites)
			defer cancel()
			for n := range partitionCount {
				p.settle(last, n, false)
			}
			return
		}
	}
}

// settle takes, renews or gives back one lease, and tells whether it was got.
func (p *partitions) settle(ctx context.Context, n int, wanted bool) (got bool) {
	p.mu.Lock()
	at := p.held[n]
	p.mu.Unlock()
	key := strconv.Itoa(n)
	revision := uint64(0)
	switch {
	case wanted:
		timed, cancel := context.WithTimeout(ctx, p.c.o.Lease/3)
		defer cancel()
		revision = p.take(timed, key, at)
	case at == 0:
		return false
	}
	p.mu.Lock()
	p.held[n] = revision
	p.mu.Unlock()
	if !wanted {
		_ = p.c.store.leases.Delete(ctx, key, at) // else it expires
	}
	return at == 0 && revision != 0
}

// take returns the revision of the lease, 0 if it is somebody else's or the
// engine does not answer: then it is not ours.
func (p *partitions) take(ctx context.Context, key string, at uint64) uint64 {
	revision, err := p.c.store.leases.Put(ctx, key, []byte(p.c.node), at)
	if errors.Is(err, cluster.ErrConflict) && at == 0 {
		// It may be ours, from before a restart, or a node's that has gone.
		if e, err := p.c.store.leases.Get(ctx, key); err == nil && (string(e.Value) == p.c.node || !p.c.registry.hasNode(string(e.Value))) {
			revision, err = p.c.store.leases.Put(ctx, key, []byte(p.c.node), e.Revision)
			if err == nil {
				return revision
			}
		}
	}
	if err != nil {
		return 0
	}
	return revision
}

// preferred is the node that should have a part: one of them, the same for all
// who ask, and another one only if that goes.
func preferred(part int, nodes []string) string {
	best, weight := "", uint64(0)
	for _, name := range nodes {
		c := candidate{Channel: Channel{ID: name}}
		if w := c.weight(strconv.Itoa(part)); best == "" || w > weight {
			best, weight = name, w
		}
	}
	return best
}
