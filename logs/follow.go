package logs

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// How often a follower looks for new bytes: soon after some came, then less
// and less often.
const (
	pollFirst = 10 * time.Millisecond
	pollMost  = 250 * time.Millisecond
	// partialAfter is how long a follower waits for the end of a line before
	// it yields what there is.
	partialAfter = 500 * time.Millisecond
)

// follow yields what comes until the context ends.
func (r *reader) follow() {
	wait := pollFirst
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		for _, s := range r.streams {
			if !r.check(s, s.grow()) {
				return
			}
		}
		any := false
		ok := r.merge(false, func(l Line) bool {
			any = true
			return r.show(l)
		})
		if !ok || !r.unfinished() {
			return
		}
		if wait = min(2*wait, pollMost); any {
			wait = pollFirst
		}
		timer.Reset(wait)
		select {
		case <-r.ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// unfinished yields the beginnings of lines that have waited long enough.
func (r *reader) unfinished() bool {
	for _, s := range r.streams {
		if len(s.acc) == 0 {
			s.waiting = time.Time{}
			continue
		}
		if now := time.Now(); s.waiting.IsZero() || len(s.acc) != s.waited {
			s.waiting, s.waited = now, len(s.acc)
		} else if now.Sub(s.waiting) >= partialAfter && s.flush(true) {
			s.ready = false
			if !r.show(s.head) {
				return false
			}
		}
	}
	return true
}

// grow takes notice of bytes and files that came since; it is what following
// adds to reading.
func (s *stream) grow() error {
	if len(s.segs) == 0 {
		s.pos = 0
		return s.open()
	}
	cur := s.segs[len(s.segs)-1]
	info, err := os.Stat(logPath(s.source.Dir, s.name, 0))
	if err == nil && idOf(info) == cur.id || errors.Is(err, fs.ErrNotExist) {
		s.update(cur)
		return nil
	}
	if err != nil {
		return err
	}
	newer, found, err := s.list(cur.id)
	if err != nil {
		return err
	}
	s.update(cur) // its last bytes: it was complete before it got its new name
	if !found && len(newer) > 1 {
		newer[0].gap = true
	}
	s.segs = append(s.segs, newer...)
	return nil
}

// update takes over the current file's size.
func (s *stream) update(cur *segment) {
	before := cur.size
	if cur.stat() != nil || cur.size == before {
		return
	}
	if cur == s.segs[0] && cur.size < s.pos { // cut from outside: begin again
		s.pos, s.buf, s.acc = 0, nil, nil
	}
	if cur.index == nil {
		cur.indexed = false // it may have come since
	}
	s.index(cur).refresh()
}
