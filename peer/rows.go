package peer

import (
	"cmp"
	"slices"
	"sync"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/supervisor"
)

// rows are the journal's rows of the instances as they are on disk. Several
// parts of a row have writers of their own: each changes its part of the newest
// row, never of an older one.
type rows struct {
	mu    sync.Mutex // guards the following field
	byKey map[supervisor.Key]*row
}

type row struct {
	mu sync.Mutex // guards the following field; held while it is written
	on journal.Instance
}

func (r *row) get() journal.Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on
}

// load takes over what the journal has.
func (r *rows) load(all []journal.Instance) {
	for _, in := range all {
		one := r.of(supervisor.Key{Application: in.Application, Name: in.Name})
		one.mu.Lock()
		one.on = in
		one.mu.Unlock()
	}
}

func (r *rows) of(k supervisor.Key) *row {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey == nil {
		r.byKey = map[supervisor.Key]*row{}
	}
	one := r.byKey[k]
	if one == nil {
		one = &row{on: journal.Instance{Application: k.Application, Name: k.Name}}
		r.byKey[k] = one
	}
	return one
}

func (r *rows) drop(k supervisor.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byKey, k)
}

// change alters the rows of keys and writes them; they stay as they were when
// write fails.
func (r *rows) change(keys []supervisor.Key, alter func(*journal.Instance), write func([]journal.Instance) error) error {
	keys = slices.SortedFunc(slices.Values(keys), func(a, b supervisor.Key) int { return cmp.Compare(a.String(), b.String()) })
	keys = slices.Compact(keys)
	held, next := make([]*row, len(keys)), make([]journal.Instance, len(keys))
	for i, k := range keys { // in one order, so that two changes never wait for each other
		held[i] = r.of(k)
		held[i].mu.Lock()
		defer held[i].mu.Unlock()
		next[i] = held[i].on
		alter(&next[i])
	}
	if err := write(next); err != nil {
		return err
	}
	for i, one := range held {
		one.on = next[i]
	}
	return nil
}
