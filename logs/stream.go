package logs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// readSize is what a stream reads at once.
const readSize = 64 << 10

// lostText is yielded where a follower was slower than the rotation.
const lostText = "[peerd: output was rotated away here before it could be read]"

// segment is one file of a stream, open for reading.
type segment struct {
	file    *os.File
	id      fileID
	size    int64 // read up to here
	mtime   time.Time
	index   *indexReader
	indexed bool // index was looked for
	gap     bool // files before it were gone before they were read
}

func (s *segment) close() {
	_ = s.file.Close()
	s.index.close()
}

// past names a file read before: a finished file never changes again, so a
// reused inode number is told by another time.
type past struct {
	id    fileID
	mtime time.Time
}

// stream reads one stream of one source as if its files were one, line by
// line. It belongs to one Read.
type stream struct {
	source  Source
	name    Stream
	maxLine int

	segs []*segment // still to read, oldest first; the last one is current
	seen []past     // files of the folder not to be read (again)

	pos     int64  // in segs[0], of the end of buf
	buf     []byte // read and not yet looked at
	acc     []byte // the line begun
	accTime time.Time
	skip    bool // up to the next newline: what stands there began before
	head    Line // next line, when ready
	ready   bool

	waiting time.Time // since when acc has not grown, when following
	waited  int       // and its length then
}

// listTries is how often a listing is begun anew when a rotation came across.
const listTries = 20

// list opens the stream's files, oldest first, as far as they were not read
// and are newer than the file until (zero: all). found: until is among them.
func (s *stream) list(until fileID) (segs []*segment, found bool, err error) {
	for try := 1; ; try++ {
		before := s.current()
		segs, found, err = s.listOnce(until)
		if err != nil {
			return nil, false, err
		}
		if try == listTries || s.current() == before {
			slices.Reverse(segs)
			return segs, found, nil
		}
		closeAll(segs)
	}
}

// current identifies the stream's current file; zero when there is none.
func (s *stream) current() fileID {
	info, err := os.Stat(logPath(s.source.Dir, s.name, 0))
	if err != nil {
		return fileID{}
	}
	return idOf(info)
}

// listOnce goes from the newest file to the oldest, the way they move when
// rotated: one that moves meanwhile is met again, never missed. What was
// listed between is then newer than it, or will be met again, too.
func (s *stream) listOnce(until fileID) (segs []*segment, found bool, err error) {
	for n, missing := 0, 0; n < maxNumber && missing < holes; n++ {
		f, err := os.Open(logPath(s.source.Dir, s.name, n))
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		missing = 0
		if err != nil {
			closeAll(segs)
			return nil, false, err
		}
		seg := &segment{file: f}
		if err := seg.stat(); err != nil || s.isPast(seg) {
			_ = f.Close()
			continue
		}
		if seg.id == until {
			_ = f.Close()
			return segs, true, nil
		}
		if i := slices.IndexFunc(segs, func(old *segment) bool { return old.id == seg.id }); i >= 0 {
			closeAll(segs[i+1:])
			segs = segs[:i+1]
			_ = f.Close()
			continue
		}
		segs = append(segs, seg)
	}
	return segs, false, nil
}

func (s *stream) isPast(seg *segment) bool {
	return slices.Contains(s.seen, past{seg.id, seg.mtime})
}

func (s *segment) stat() error {
	info, err := s.file.Stat()
	if err == nil {
		s.id, s.size, s.mtime = idOf(info), info.Size(), info.ModTime()
	}
	return err
}

func closeAll(segs []*segment) {
	for _, s := range segs {
		s.close()
	}
}

// open lists all files there are.
func (s *stream) open() (err error) {
	s.segs, _, err = s.list(fileID{})
	return err
}

func (s *stream) close() {
	closeAll(s.segs)
	s.segs = nil
}

// startAt makes segs[i] at pos the next byte. What stands there of a line that
// began before is skipped.
func (s *stream) startAt(i int, pos int64) {
	s.skip = !s.lineStart(i, pos)
	s.forget(i)
	s.pos, s.buf, s.acc, s.ready = pos, nil, nil, false
}

// forget closes the first n files and remembers them as read.
func (s *stream) forget(n int) {
	for _, seg := range s.segs[:n] {
		s.seen = append(s.seen, past{seg.id, seg.mtime})
		seg.close()
	}
	s.segs = s.segs[n:]
	s.seen = s.seen[max(0, len(s.seen)-maxNumber):]
}

func (s *stream) lineStart(i int, pos int64) bool {
	if pos == 0 {
		if i == 0 {
			return true
		}
		i, pos = i-1, s.segs[i-1].size
	}
	b := make([]byte, 1)
	_, err := s.segs[i].file.ReadAt(b, pos-1)
	return err != nil || b[0] == '\n'
}

// next makes head ready; it returns false when there is no whole line now.
func (s *stream) next() bool {
	for !s.ready {
		if len(s.buf) == 0 && !s.fill() {
			return false
		}
		s.take()
	}
	return true
}

// take moves bytes of buf into the line begun, and ends it at a newline or at
// maxLine bytes.
func (s *stream) take() {
	if s.skip {
		i := bytes.IndexByte(s.buf, '\n')
		if i < 0 {
			s.buf = nil
			return
		}
		s.buf, s.skip = s.buf[i+1:], false
		return
	}
	if len(s.acc) == 0 {
		s.accTime = s.timeOf(s.pos - int64(len(s.buf)))
	}
	room := s.maxLine - len(s.acc)
	i := bytes.IndexByte(s.buf[:min(len(s.buf), room+1)], '\n')
	switch {
	case i >= 0:
		s.emit(s.buf[:i], false)
		s.buf = s.buf[i+1:]
	case len(s.buf) > room:
		s.emit(s.buf[:room], true)
		s.buf = s.buf[room:]
	default:
		s.acc = append(s.acc, s.buf...)
		s.buf = nil
	}
}

func (s *stream) emit(b []byte, partial bool) {
	s.head = Line{At: s.accTime, Name: s.source.Name, Stream: s.name, Partial: partial}
	if len(s.acc) == 0 {
		s.head.Text = string(b)
	} else {
		s.head.Text = string(append(s.acc, b...))
	}
	s.acc = s.acc[:0]
	s.ready = true
}

// flush yields the unfinished line at the end.
func (s *stream) flush(partial bool) bool {
	if !s.ready && len(s.acc) > 0 {
		s.emit(nil, partial)
	}
	return s.ready
}

// fill reads on, over file boundaries, up to the size known.
func (s *stream) fill() bool {
	for len(s.segs) > 0 {
		seg := s.segs[0]
		if want := min(readSize, seg.size-s.pos); want > 0 {
			b := make([]byte, want)
			n, err := seg.file.ReadAt(b, s.pos)
			if n > 0 {
				s.buf, s.pos = b[:n], s.pos+int64(n)
				return true
			}
			if err == nil {
				continue
			}
			// Cut from outside, or unreadable: what was there is gone.
		}
		if len(s.segs) == 1 {
			return false
		}
		s.forget(1)
		s.pos = 0
		if s.segs[0].gap {
			s.buf = []byte(lostText + "\n")
			if len(s.acc) > 0 {
				s.buf = append([]byte("\n"), s.buf...)
			}
			return true
		}
	}
	return false
}

// timeOf is when the byte at pos of the current file came, as well as it is
// known.
func (s *stream) timeOf(pos int64) time.Time {
	seg := s.segs[0]
	if at, ok := s.index(seg).timeAt(pos); ok {
		return at
	}
	return seg.mtime
}

func (s *stream) index(seg *segment) *indexReader {
	if !seg.indexed {
		seg.indexed = true
		seg.index = openIndex(s.source.Dir, s.name, seg.id.ino)
	}
	return seg.index
}
