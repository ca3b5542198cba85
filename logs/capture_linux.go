package logs

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is asked for, so that a component may write on while the disk or
// the writer is slow; the system may refuse.
const pipeSize = 1 << 20

// pipe is a FIFO on its way into a Writer.
type pipe struct {
	conn syscall.RawConn
	w    *Writer
	tap  io.Writer
}

// buffers are for bytes that cannot be stored, and for taps. They are shared,
// so that hundreds of idle captures hold none.
var buffers = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// capturePipe is Capture for pipes; done is false when f is none that the
// runtime can wait for.
func capturePipe(f *os.File, w *Writer, stop <-chan struct{}, first func(string) bool, tap io.Writer) (done bool, err error) {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return false, nil
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return true, err
	}
	nonblocking := false
	err = conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		nonblocking = err == nil && flags&unix.O_NONBLOCK != 0
		_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
	})
	if err != nil || !nonblocking {
		return err != nil, err
	}
	p := &pipe{conn: conn, w: w, tap: tap}
	if first != nil {
		if err := p.firstLine(first); err != nil {
			return true, p.end(err, stop)
		}
	}
	for {
		if _, err := p.move(math.MaxInt, true); err != nil {
			return true, p.end(err, stop)
		}
	}
}

// end turns the error that ended the loop into Capture's, draining after stop.
func (p *pipe) end(err error, stop <-chan struct{}) error {
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case !errors.Is(err, os.ErrDeadlineExceeded) || !isClosed(stop):
		return err
	}
	for left := p.waiting(); left > 0; {
		n, err := p.move(left, false)
		if n == 0 || err != nil {
			return nil
		}
		left -= n
	}
	return nil
}

// waiting returns how many bytes are in the pipe now.
func (p *pipe) waiting() int {
	n := 0
	_ = p.conn.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n
}

// move stores at most limit bytes of the pipe, waiting for the first of them
// if wait. It returns io.EOF when no writer is left.
func (p *pipe) move(limit int, wait bool) (n int, err error) {
	limit = min(limit, chunkSize)
	step := func(fd uintptr) bool {
		n, err = p.step(int(fd), limit)
		return !wait || !errors.Is(err, unix.EAGAIN)
	}
	var waitErr error
	if wait {
		waitErr = p.conn.Read(step)
	} else { // not Read, which a deadline in the past keeps from calling step
		waitErr = p.conn.Control(func(fd uintptr) { step(fd) })
	}
	if waitErr != nil {
		return 0, waitErr
	}
	return n, err
}

// step makes one attempt: bytes go from the pipe into the file; when the file
// refuses them, they are taken out of the pipe and counted as dropped.
func (p *pipe) step(fd, limit int) (int, error) {
	if _, err := readable(fd); err != nil {
		return 0, err
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.closed {
		return 0, os.ErrClosed
	}
	if err := p.w.mark(); err != nil {
		return p.take(fd, limit, func(b []byte) { p.w.drop(len(b), err) })
	}
	var from int64
	n, err := p.w.place(limit, func(f *os.File, at int64, room int) (int, error) {
		from = at
		return splice(fd, f, at, room)
	})
	switch {
	case n > 0:
		p.stored(from, n)
		return n, nil
	case err == nil || errors.Is(err, unix.EAGAIN):
		return 0, unix.EAGAIN // who else reads the pipe was faster
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS): // a file system without splice
		return p.take(fd, limit, func(b []byte) { _, _ = p.w.writeLocked(b) })
	}
	return p.take(fd, limit, func(b []byte) { p.w.drop(len(b), err) })
}

// readable is nil when fd has bytes, io.EOF when it has none and no writer,
// else EAGAIN. last: no writer is left, so what is there is all there will be.
func readable(fd int) (last bool, err error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil && err != unix.EINTR {
		return false, err
	}
	last = fds[0].Revents&unix.POLLHUP != 0
	switch {
	case fds[0].Revents&unix.POLLIN != 0:
		return last, nil
	case last:
		return true, io.EOF
	}
	return false, unix.EAGAIN
}

func splice(fd int, f *os.File, at int64, n int) (int, error) {
	for {
		m, err := unix.Splice(fd, nil, int(f.Fd()), &at, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if err != unix.EINTR {
			return int(max(m, 0)), err
		}
	}
}

// stored notes how the stored bytes end and shows them to the taps.
func (p *pipe) stored(from int64, n int) {
	if p.tap == nil {
		last := make([]byte, 1)
		_, err := p.w.file.ReadAt(last, from+int64(n)-1)
		p.w.midLine = err == nil && last[0] != '\n'
		return
	}
	buf := buffers.Get().(*[chunkSize]byte)
	defer buffers.Put(buf)
	b := buf[:n]
	got, _ := p.w.file.ReadAt(b, from)
	_, _ = p.tap.Write(b[:got])
	p.w.midLine = got == n && b[n-1] != '\n'
}

// take takes at most limit bytes out of the pipe and hands them to use.
func (p *pipe) take(fd, limit int, use func([]byte)) (int, error) {
	buf := buffers.Get().(*[chunkSize]byte)
	defer buffers.Put(buf)
	b := buf[:limit]
	n, err := unix.Read(fd, b)
	for err == unix.EINTR {
		n, err = unix.Read(fd, b)
	}
	if err != nil || n == 0 {
		return 0, err
	}
	use(b[:n])
	if p.tap != nil {
		_, _ = p.tap.Write(b[:n])
	}
	return n, nil
}

// Skip takes a line and its newline out of a pipe in non-blocking mode (see
// Capture) if they come next; else it leaves the pipe as it is. It does not wait.
func Skip(r *os.File, line string) error {
	conn, err := r.SyscallConn()
	if err != nil {
		return err
	}
	ends, err := aside()
	if err != nil {
		return err
	}
	defer ends.close()
	want := []byte(line + "\n")
	var fault error
	err = conn.Control(func(fd uintptr) {
		var b []byte
		if b, fault = ends.peek(int(fd)); bytes.HasPrefix(b, want) {
			_, fault = unix.Read(int(fd), want)
		}
	})
	if errors.Is(fault, unix.EAGAIN) {
		fault = nil // nothing is there
	}
	return errors.Join(err, fault)
}

// firstLine offers the first line without taking it out of the pipe (tee), so
// that it is neither lost nor doubled whenever the process dies; only a line
// that first swallows is taken out. No line is expected to be longer than half
// the pipe, which is the least a full pipe holds.
func (p *pipe) firstLine(first func(string) bool) error {
	ends, err := aside()
	if err != nil {
		return err
	}
	defer ends.close()
	var line, tooLong []byte
	var fault error
	err = p.conn.Read(func(fd uintptr) bool {
		var last bool
		if last, fault = readable(int(fd)); fault != nil {
			return !errors.Is(fault, unix.EAGAIN)
		}
		var b []byte
		if b, fault = ends.peek(int(fd)); fault != nil {
			return true
		}
		limit := maxFirst + 1
		if size, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0); err == nil {
			limit = min(limit, size/2)
		}
		if i := bytes.IndexByte(b[:min(len(b), limit)], '\n'); i >= 0 {
			line = b[:i+1]
		} else if len(b) >= limit {
			tooLong = b[:limit-1]
		}
		return line != nil || last || tooLong != nil
	})
	err = errors.Join(err, fault)
	if err == nil && tooLong != nil {
		first(string(tooLong))
	}
	if err != nil || line == nil || !first(string(line[:len(line)-1])) {
		return err
	}
	return p.conn.Control(func(fd uintptr) { _, _ = unix.Read(int(fd), line) })
}

// spare is a pipe into which another one's bytes are copied to be looked at.
type spare struct{ read, write int }

func aside() (spare, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return spare{}, err
	}
	_, _ = unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, pipeSize)
	return spare{ends[0], ends[1]}, nil
}

func (s spare) close() {
	_ = unix.Close(s.read)
	_ = unix.Close(s.write)
}

// peek returns what is at the front of the pipe and leaves it there.
func (s spare) peek(fd int) ([]byte, error) {
	n, err := unix.Tee(fd, s.write, maxFirst+1, unix.SPLICE_F_NONBLOCK)
	if err != nil || n == 0 {
		return nil, err
	}
	b := make([]byte, n)
	for got := 0; got < len(b); {
		m, err := unix.Read(s.read, b[got:])
		if err != nil {
			return nil, err
		}
		got += m
	}
	return b, nil
}
