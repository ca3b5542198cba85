package logs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// maxFirst bounds the first line offered to Capture's callback.
const maxFirst = 64 << 10

// chunkSize is what Capture moves at once.
const chunkSize = 256 << 10

// drainPatience is how long the reading of what is there may take on a reader
// that cannot say how much that is.
const drainPatience = 10 * time.Millisecond

// Capture copies r to w until EOF or until stop is closed (then it drains what
// is there at that moment, without waiting for more), and never blocks on
// anything but r and the file. first, when not nil, is offered the first line
// before it is stored; returning true swallows it (the plugin handshake line).
// Of a line beyond 64 KiB the beginning is offered, and nothing is swallowed.
// Each of taps is given the bytes after they were stored or dropped, in order;
// its errors are ignored.
//
// A pipe or FIFO (an *os.File in non-blocking mode, as os.Pipe and
// os.OpenFile(…, O_RDWR|O_NONBLOCK) give) is moved inside the kernel: see the
// package comment. Any other reader is copied, and heeds stop while waiting
// only if it has a SetReadDeadline method; if it has none, it is to be closed.
//
// Capture returns nil at EOF and after stop, else the reading error.
func Capture(r io.Reader, w *Writer, stop <-chan struct{}, first func(line string) bool, taps ...io.Writer) error {
	tap := io.MultiWriter(silence(taps)...)
	if len(taps) == 0 {
		tap = nil
	}
	release := interruptible(r, stop)
	defer release()
	if f, ok := r.(*os.File); ok {
		if done, err := capturePipe(f, w, stop, first, tap); done {
			return err
		}
	}
	return captureReader(r, w, stop, first, tap)
}

// interruptible makes stop end a Read under way, where r has deadlines. The
// function it returns waits for what it started and clears the deadline.
func interruptible(r io.Reader, stop <-chan struct{}) (release func()) {
	d, ok := r.(interface{ SetReadDeadline(time.Time) error })
	if !ok || stop == nil {
		return func() {}
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-stop:
			_ = d.SetReadDeadline(time.Now())
		case <-over:
		}
	})
	return func() {
		close(over)
		wg.Wait()
		_ = d.SetReadDeadline(time.Time{})
	}
}

// captureReader is Capture for readers that are no pipes.
func captureReader(r io.Reader, w *Writer, stop <-chan struct{}, first func(string) bool, tap io.Writer) error {
	buf := make([]byte, chunkSize)
	var head []byte // the first line as far as it came
	keep := func(b []byte) {
		if first != nil {
			head = append(head, b...)
			line, rest, whole := bytes.Cut(head, []byte("\n"))
			if !whole && len(head) <= maxFirst {
				return
			}
			if len(line) > maxFirst {
				first(string(line[:maxFirst]))
				b = head
			} else if b = head; first(string(line)) {
				b = rest
			}
			first, head = nil, nil
		}
		put(w, tap, b)
	}
	var err error
	for err == nil && !isClosed(stop) {
		var n int
		n, err = r.Read(buf)
		keep(buf[:n])
	}
	if d, ok := r.(interface{ SetReadDeadline(time.Time) error }); ok && isClosed(stop) && !errors.Is(err, io.EOF) {
		_ = d.SetReadDeadline(time.Now().Add(drainPatience))
		n, _ := r.Read(buf)
		keep(buf[:n])
		err = nil
	}
	first = nil
	put(w, tap, head)
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func put(w *Writer, tap io.Writer, b []byte) {
	if len(b) == 0 {
		return
	}
	_, _ = w.Write(b)
	if tap != nil {
		_, _ = tap.Write(b)
	}
}

func isClosed(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// silence hides the taps' errors from each other.
func silence(taps []io.Writer) []io.Writer {
	out := make([]io.Writer, len(taps))
	for i, t := range taps {
		out[i] = silent{t}
	}
	return out
}

type silent struct{ io.Writer }

func (s silent) Write(b []byte) (int, error) {
	_, _ = s.Writer.Write(b)
	return len(b), nil
}
