package logs

import (
	"container/heap"
	"context"
	"fmt"
	"iter"
)

// Read merges the sources by time and yields their lines until the end, or
// with Follow until ctx ends. It works in the caller's goroutine and holds one
// line of each stream in memory, or Tail lines. A source without files has no lines yet; one
// that cannot be read is told by an error, and the others go on. A Tail of 0
// yields nothing but what Follow adds.
func Read(ctx context.Context, sources []Source, q Query) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		if q.Stream != "" {
			if err := q.Stream.valid(); err != nil {
				yield(Line{}, err)
				return
			}
		}
		r := &reader{ctx: ctx, q: q, yield: yield}
		defer r.close()
		if r.open(sources) && r.past() && q.Follow {
			r.follow()
		}
	}
}

// reader is one Read under way.
type reader struct {
	ctx     context.Context
	q       Query
	yield   func(Line, error) bool
	streams []*stream
	broken  map[*stream]bool // an error was told, and not yet overcome
}

func (r *reader) open(sources []Source) bool {
	r.broken = make(map[*stream]bool)
	names := []Stream{Out, Err}
	if r.q.Stream != "" {
		names = []Stream{r.q.Stream}
	}
	maxLine := r.q.MaxLine
	if maxLine <= 0 {
		maxLine = defaultMaxLine
	}
	for _, source := range sources {
		for _, name := range names {
			s := &stream{source: source, name: name, maxLine: maxLine}
			r.streams = append(r.streams, s)
			if !r.check(s, s.open()) {
				return false
			}
			r.position(s) // closes what is not needed before more is opened
		}
	}
	return true
}

func (r *reader) close() {
	for _, s := range r.streams {
		s.close()
	}
}

// check yields err once while it lasts; false ends the Read.
func (r *reader) check(s *stream, err error) bool {
	if err == nil {
		delete(r.broken, s)
		return true
	}
	if r.broken[s] {
		return true
	}
	r.broken[s] = true
	return r.yield(Line{}, fmt.Errorf("cannot read the %s log of %s: %w", s.name, s.source.Name, err))
}

// position goes to where reading begins.
func (r *reader) position(s *stream) {
	if r.q.Tail == 0 {
		s.skipAll()
		return
	}
	s.seekSince(r.q.Since)
	if r.q.Tail > 0 {
		s.seekTail(r.q.Tail)
	}
}

// past yields what is there when Read begins.
func (r *reader) past() bool {
	if r.q.Tail <= 0 {
		return r.merge(!r.q.Follow, r.show)
	}
	// Each stream stands at its own last lines; the last of all are among them.
	var last []Line
	ok := r.merge(!r.q.Follow, func(l Line) bool {
		if last = append(last, l); len(last) >= 2*r.q.Tail {
			last = append(last[:0], last[len(last)-r.q.Tail:]...)
		}
		return true
	})
	for _, l := range last[max(0, len(last)-r.q.Tail):] {
		if ok = ok && r.show(l); !ok {
			break
		}
	}
	return ok
}

func (r *reader) show(l Line) bool {
	parse(&l)
	return r.yield(l, nil)
}

// merge gives out all lines that are there, by time. It returns false when
// give or the context ended it. flush: a line without end counts as one.
func (r *reader) merge(flush bool, give func(Line) bool) bool {
	var h byTime
	push := func(s *stream) {
		if s.next() || flush && s.flush(false) {
			heap.Push(&h, s)
		}
	}
	for _, s := range r.streams {
		push(s)
	}
	for h.Len() > 0 {
		if r.ctx.Err() != nil {
			return false
		}
		s := h[0]
		l := s.head
		s.ready = false
		if s.next() || flush && s.flush(false) {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
		if !l.At.Before(r.q.Since) && !give(l) {
			return false
		}
	}
	return true
}

// byTime orders streams by the time of their next line.
type byTime []*stream

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].head.At.Before(h[j].head.At) }
func (h byTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byTime) Push(x any)        { *h = append(*h, x.(*stream)) }
func (h *byTime) Pop() any {
	old := *h
	s := old[len(old)-1]
	*h = old[:len(old)-1]
	return s
}
