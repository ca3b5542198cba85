package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// Writer appends one stream of one instance to rotated files: current file
// DIR/out.log (or err.log), older DIR/out.log.1 … Rotation happens at an exact
// byte boundary; every byte lands in exactly one file. Methods are safe for
// concurrent use and block on nothing but the file.
type Writer struct {
	dir    string
	stream Stream
	opts   Options
	path   string
	now    func() time.Time

	mu      sync.Mutex // guards all following fields
	file    *os.File   // nil: to be opened
	id      fileID
	size    int64
	index   indexWriter
	closed  bool
	dropped int64 // since opening
	unsaid  int64 // of them, not yet told by a marker line
	cause   error
	told    string // what the listener heard last
	midLine bool   // the last byte stored was no newline
	listen  func(dropped int64, why string)
}

// Listen has f called when bytes begin to be lost, with the reason, and with ""
// when they are stored again: from the goroutine that writes, so f must neither
// block nor call the Writer. dropped is as Dropped has it.
func (w *Writer) Listen(f func(dropped int64, why string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listen = f
}

// Mend tries whether the disk accepts again after it has refused, so that the
// end of the trouble is noticed without further output. It returns what Dropped
// does.
func (w *Writer) Mend() (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		_ = w.mark()
	}
	return w.dropped, w.cause
}

// OpenWriter opens (creating folders) the stream's current file for appending.
// A disk that is full or failing just now is no error: what cannot be stored
// is counted, as in Write.
func OpenWriter(dir string, s Stream, o Options) (*Writer, error) {
	if err := s.valid(); err != nil {
		return nil, err
	}
	w := newWriter(dir, s, o)
	if err := w.open(); err != nil && !passing(err) {
		return nil, fmt.Errorf("cannot open the log of stream %s in %s: %w", s, dir, err)
	}
	return w, nil
}

func newWriter(dir string, s Stream, o Options) *Writer {
	return &Writer{dir: dir, stream: s, opts: o.withDefaults(), path: logPath(dir, s, 0), now: time.Now}
}

// passing reports whether err may go away by itself.
func passing(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Write appends b. It never fails for the caller's sake: when the disk refuses,
// bytes are counted as dropped, a marker line is written once it accepts again,
// and Dropped tells. It notices a removed or renamed file and reopens. Its only
// error is os.ErrClosed.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writeLocked(b)
}

func (w *Writer) writeLocked(b []byte) (int, error) {
	if w.closed {
		return 0, os.ErrClosed
	}
	err := w.mark()
	rest := b
	for err == nil && len(rest) > 0 {
		var n int
		n, err = w.store(rest)
		rest = rest[n:]
	}
	w.drop(len(rest), err)
	return len(b), nil
}

// Dropped is the number of bytes lost since opening, with the last error.
func (w *Writer) Dropped() (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped, w.cause
}

// Loss is what a Writer could not store, as it is handed to the Writer that
// goes on in its place.
type Loss struct {
	Dropped int64  `json:"dropped,omitempty"` // bytes since opening
	Unsaid  int64  `json:"unsaid,omitempty"`  // of them, not yet told by a marker line
	Cause   string `json:"cause,omitempty"`   // of the last loss
	Told    string `json:"told,omitempty"`    // what the listener heard last
}

// Loss returns what was lost so far.
func (w *Writer) Loss() Loss {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := Loss{Dropped: w.dropped, Unsaid: w.unsaid, Told: w.told}
	if w.cause != nil {
		l.Cause = reason(w.cause).Error()
	}
	return l
}

// ResumeWriter goes on where an earlier Writer of the stream was, which has lost
// l. It never fails: what hinders it is a loss, as in Write.
func ResumeWriter(dir string, s Stream, o Options, l Loss) *Writer {
	w := newWriter(dir, s, o)
	w.dropped, w.unsaid, w.told = l.Dropped, l.Unsaid, l.Told
	if l.Cause != "" {
		w.cause = errors.New(l.Cause)
	}
	_ = w.open() // else the next Write does
	return w
}

// Clear removes the stream's files and begins anew; who is reading the old
// ones may finish.
func (w *Writer) Clear() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return os.ErrClosed
	}
	w.shut()
	var err error
	for n := 0; n == 0 || n < maxNumber && exists(logPath(w.dir, w.stream, n)); n++ {
		err = errors.Join(err, remove(logPath(w.dir, w.stream, n)), remove(indexPath(w.dir, w.stream, n)))
	}
	if err = errors.Join(err, w.open()); err != nil {
		return fmt.Errorf("cannot clear the log of stream %s in %s: %w", w.stream, w.dir, err)
	}
	return nil
}

// Close closes the file. Later writes are refused.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.shut()
	return nil
}

func (w *Writer) shut() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	w.index.close()
	w.midLine = false
}

// open opens the current file where it ends. The file is not in append mode,
// which splice refuses: offsets are explicit and taken from the file's size.
func (w *Writer) open() error {
	w.shut()
	if err := os.MkdirAll(w.dir, 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(w.path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	w.file, w.id, w.size = f, idOf(info), info.Size()
	last := make([]byte, 1)
	if w.size > 0 {
		_, err := f.ReadAt(last, w.size-1)
		w.midLine = err == nil && last[0] != '\n'
	}
	w.index.open(indexPath(w.dir, w.stream, 0), w.id.ino, w.size)
	return nil
}

// ready makes sure that the current file is the one of that name, that its
// size is known and that it has room; it rotates when it has none.
func (w *Writer) ready() error {
	if w.file != nil {
		info, err := os.Stat(w.path)
		switch {
		case err == nil && idOf(info) == w.id:
			if info.Size() < w.size { // truncated from outside
				w.index.reset()
			}
			w.size = info.Size()
		case err == nil || errors.Is(err, fs.ErrNotExist):
			w.shut()
		default:
			return err
		}
	}
	if w.file == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	if w.size < w.opts.MaxSize {
		return nil
	}
	midLine := w.midLine
	w.shut()
	if err := shift(w.dir, w.stream, w.opts.MaxFiles); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	w.midLine = midLine
	return nil
}

// store writes as much of b as the current file has room for.
func (w *Writer) store(b []byte) (int, error) {
	n, err := w.place(len(b), func(f *os.File, at int64, room int) (int, error) {
		return f.WriteAt(b[:room], at)
	})
	if n > 0 {
		w.midLine = b[n-1] != '\n'
	}
	return n, err
}

// place readies the file and lets put write up to room bytes at offset at. The
// index entry goes first: after a crash in between it points at the end of the
// file, where the next writer replaces it.
func (w *Writer) place(want int, put func(f *os.File, at int64, room int) (int, error)) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	room := int(min(int64(want), w.opts.MaxSize-w.size))
	w.index.note(w.size, w.now())
	n, err := put(w.file, w.size, room)
	w.size += int64(n)
	return n, err
}

// mark writes the marker line for bytes dropped before.
func (w *Writer) mark() error {
	if w.unsaid == 0 {
		return nil
	}
	line := fmt.Sprintf("[peerd: %d bytes of output were lost here: %v]\n", w.unsaid, reason(w.cause))
	if w.midLine {
		line = "\n" + line
	}
	for rest := []byte(line); len(rest) > 0; {
		n, err := w.store(rest)
		if err != nil {
			return errors.Join(err, w.unmark(len(line)-len(rest)+n))
		}
		rest = rest[n:]
	}
	w.unsaid = 0
	w.tell("")
	return nil
}

// tell passes on that the trouble has begun, is another, or is over.
func (w *Writer) tell(why string) {
	if w.listen != nil && w.told != why {
		w.told = why
		w.listen(w.dropped, why)
	}
}

// unmark takes back the part of a marker that did fit.
func (w *Writer) unmark(n int) error {
	if w.file == nil || int64(n) > w.size || n == 0 {
		return nil
	}
	w.size -= int64(n)
	return w.file.Truncate(w.size)
}

// reason is the innermost error: the path and operation say nothing new in the
// file itself.
func reason(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func (w *Writer) drop(n int, cause error) {
	if cause != nil {
		w.cause = cause
	}
	w.dropped += int64(n)
	w.unsaid += int64(n)
	if n > 0 && w.cause != nil {
		w.tell(reason(w.cause).Error())
	}
}
