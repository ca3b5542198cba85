package logs

import (
	"bytes"
	"time"
)

// clockSlack is how far a file's time may lie behind the clock.
const clockSlack = time.Second

// seekSince goes to the first line that came at or after t, or a little before.
func (s *stream) seekSince(t time.Time) {
	if t.IsZero() {
		return
	}
	for i, seg := range s.segs {
		if seg.mtime.Add(clockSlack).Before(t) && i+1 < len(s.segs) {
			continue
		}
		pos := min(s.index(seg).since(t, seg.size), seg.size)
		s.startAt(i, pos)
		return
	}
}

// seekTail goes to the last n lines, or a little before, without going back
// beyond the place where the stream stands. It reads from the end, and no more
// than n lines of maxLine bytes.
func (s *stream) seekTail(n int) {
	left := int64(n+1) * int64(s.maxLine)
	first := true
	for i := len(s.segs) - 1; i >= 0; i-- {
		low := int64(0)
		if i == 0 {
			low = s.pos
		}
		for end := s.segs[i].size; end > low; {
			start := max(low, end-readSize)
			b := make([]byte, end-start)
			got, _ := s.segs[i].file.ReadAt(b, start)
			b = b[:got]
			if first && len(b) > 0 {
				b, first = bytes.TrimSuffix(b, []byte("\n")), false
			}
			for at := bytes.LastIndexByte(b, '\n'); at >= 0; at = bytes.LastIndexByte(b, '\n') {
				if n--; n <= 0 {
					s.goTo(i, start+int64(at)+1)
					return
				}
				b = b[:at]
			}
			if left -= end - start; left <= 0 {
				s.goTo(i, start)
				return
			}
			end = start
		}
	}
}

// goTo is startAt for places where a line may be cut.
func (s *stream) goTo(i int, pos int64) {
	skip := s.skip && i == 0 && pos == s.pos
	s.startAt(i, pos)
	s.skip = skip
}

// skipAll goes to the end.
func (s *stream) skipAll() {
	if n := len(s.segs); n > 0 {
		s.startAt(n-1, s.segs[n-1].size)
		s.skip = false
	}
}
