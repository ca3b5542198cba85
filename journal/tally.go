package journal

// tally is what the committer knows of the file without reading it. It is
// derived: verify computes it at each open.
type tally struct {
	state
	records int             // in the file
	heads   map[string]head // by instance key, of instances with history
	aged    uint64          // highest seq trimmed because of Options.Total, since Open
}

// head is one instance's share of the history.
type head struct {
	count   int
	trimmed uint64 // highest seq trimmed since Open
}

// load takes over the tally of a file just opened. What was trimmed since Open
// is kept: watchers still have to be told.
func (j *Journal) load(t tally) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, h := range t.heads {
		h.trimmed = j.tally.heads[key].trimmed
		t.heads[key] = h
	}
	t.aged = j.tally.aged
	j.tally = t
	j.wakeLocked()
}

// publish takes over what a committed transaction changed and wakes watchers.
func (j *Journal) publish(t *transaction) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tally.state, j.tally.records = t.state, t.records
	for key, h := range t.heads {
		if h.count == 0 {
			delete(j.tally.heads, key)
			continue
		}
		j.tally.heads[key] = h
	}
	j.wakeLocked()
}

// markTrimmed makes what t trims known before t is committed.
func (j *Journal) markTrimmed(t *transaction) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tally.aged = t.aged
	for key, h := range t.heads {
		if old, ok := j.tally.heads[key]; ok && h.trimmed > old.trimmed {
			old.trimmed = h.trimmed
			j.tally.heads[key] = old
		}
	}
}

func (j *Journal) wakeLocked() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// next returns a channel that the next commit closes.
func (j *Journal) next() <-chan struct{} {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.changed
}

// lastSeq is the last sequence number that was acknowledged.
func (j *Journal) lastSeq() uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.tally.seq
}

// matching returns the keys of the instances with history that f selects.
func (j *Journal) matching(f Filter) []string {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if f.Application != "" && f.Name != "" {
		return []string{f.Application + "\x00" + f.Name}
	}
	var keys []string
	for key := range j.tally.heads {
		if f.matches(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// trimmedAfter returns the highest seq above pos that was trimmed of what f
// selects, as a transaction sees it whose records exists tells; 0 for none.
func (j *Journal) trimmedAfter(f Filter, pos uint64, exists func(seq uint64) bool) uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	var highest uint64
	if aged := j.tally.aged; aged > pos && !exists(aged) {
		highest = aged
	}
	for key, h := range j.tally.heads {
		if h.trimmed > max(pos, highest) && f.matches(key) && !exists(h.trimmed) {
			highest = h.trimmed
		}
	}
	return highest
}
