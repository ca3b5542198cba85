package controller

import (
	"cmp"
	"maps"
	"time"
)

// pass is one pass of a batch, with all it needs to know.
type pass struct {
	id       string
	def      definition
	state    progress
	revision uint64
	replies  map[int]outcome
}

// start picks the batches whose next pass is to begin now, at most one for each
// target, the oldest first, and marks them as running. It also returns those
// that are to be ended without a pass, and the time until the next is due.
func (v *batchView) start(now time.Time, mine, there func(target string) bool) (passes, cancelled []pass, wait time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	wait = time.Hour
	busy, first := make(map[string]bool), make(map[string]*record)
	for _, r := range v.records {
		if r.running {
			busy[r.def.Target] = true
		}
	}
	for _, r := range v.records {
		target := r.def.Target
		switch {
		case !r.defined || r.running || r.status().Terminal() || !mine(target):
		case r.cancelled:
			r.running = true
			cancelled = append(cancelled, r.pass())
		case busy[target] || !there(target):
		case r.status() == BatchPending && !r.hurry && now.Before(r.state.Due):
			wait = min(wait, r.state.Due.Sub(now))
		case first[target] == nil || older(r, first[target]):
			first[target] = r
		}
	}
	for _, r := range first {
		r.running, r.hurry = true, false
		passes = append(passes, r.pass())
	}
	return passes, cancelled, wait
}

func older(a, b *record) bool {
	return cmp.Or(a.def.Created.Compare(b.def.Created), cmp.Compare(a.id, b.id)) < 0
}

func (r *record) pass() pass {
	return pass{id: r.id, def: r.def, state: r.state, revision: r.revision, replies: maps.Clone(r.replies)}
}

// stoppable says how the pass of a batch is stopped when the batch is cancelled.
func (v *batchView) stoppable(id string, stop func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.records[id]
	if r.cancelled {
		stop()
	}
	r.stop = stop
}

// finished marks that a pass is over.
func (v *batchView) finished(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.records[id]
	r.running, r.stop = false, nil
	if r.empty() {
		delete(v.records, id)
	}
	v.poke()
}

// old returns the keys of the batches that ended before a time, and those that
// are left over, definitions first.
func (v *batchView) old(before time.Time, mine func(target string) bool) [][]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all [][]string
	for id, r := range v.records {
		ended := r.defined && mine(r.def.Target) && r.status().Terminal() && r.state.Ended.Before(before)
		if r.running || r.defined && !ended {
			continue
		}
		keys := []string{definitionKey(id), progressKey(id), cancelKey(id)}
		for n := range r.replies {
			keys = append(keys, replyKey(id, n))
		}
		all = append(all, keys)
	}
	return all
}
