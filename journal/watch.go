package journal

import (
	"context"
	"iter"
)

// watchPage bounds the records a watcher holds in memory.
const watchPage = 256

// Watch yields matching records, those on disk first, then new ones as they
// are written, until ctx ends. It always reads from disk, a page at a time, so
// a slow reader costs no memory and nobody else's time; what ages out before
// the reader had it is told by a *GapError, after which the watch goes on. Any
// other error is the last thing yielded; after Close that is ErrClosed.
func (j *Journal) Watch(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		j.watch(ctx, f, yield)
	}
}

func (j *Journal) watch(ctx context.Context, f Filter, yield func(Record, error) bool) {
	pos, started := f.Since, false
	for ctx.Err() == nil {
		changed := j.next()
		p, err := j.readPage(f, pos, watchPage)
		if err != nil {
			yield(Record{}, err)
			return
		}
		// Only what aged out while watching is a gap: before that, nobody
		// promised it.
		if lost := min(p.lost, p.upTo); started && lost > pos {
			if !yield(Record{}, &GapError{After: pos, Before: lost + 1}) {
				return
			}
		}
		f.Last, started = 0, true
		for _, r := range p.records {
			if ctx.Err() != nil || !yield(r, nil) {
				return
			}
		}
		pos = p.upTo
		if len(p.records) == watchPage {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-j.closed:
			yield(Record{}, ErrClosed)
			return
		}
	}
}
