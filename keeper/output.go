package keeper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-04209a44/peerd/logs"
	"github.com/seed-04209a44/peerd/process"
)

// Names of the FIFOs in a process's private folder.
const (
	fifoOut   = string(logs.Out)
	fifoErr   = string(logs.Err)
	fifoReady = "ready"
)

// output captures one process's stdout and stderr. Both are FIFOs that the
// process holds read-write, so that it never dies of a reader that went, and
// that their readers hold read-write, so that no byte dies with a process.
type output struct {
	opts    Output
	word    *word
	changed func() // the word has news
	streams []*stream
	ready   *os.File // nil without a readiness file
	lost    int64    // bytes, by earlier keepers
	losing  losing
	once    sync.Once

	mu     sync.Mutex // guards the following fields
	now    *run       // nil before the captures begin
	closed bool
}

// stream is stdout or stderr.
type stream struct {
	name   logs.Stream
	fifo   *process.FIFO
	writer *logs.Writer
	tap    *lines // looks for the line that is waited for; may be nil
}

// run is a time in which the streams are captured.
type run struct {
	stop, ended chan struct{}
	left        atomic.Int32 // streams that have not ended
	halted      bool         // it was told to end; guarded by the output's mutex
}

// openOutput starts the capture that o asks for.
func openOutput(o Output, w *word, changed func()) (*output, error) {
	out := &output{opts: o, word: w, changed: changed, lost: w.lost()}
	var err error
	for _, name := range []logs.Stream{logs.Out, logs.Err} {
		if err = out.open(name); err != nil {
			break
		}
	}
	if err == nil {
		err = out.recall()
	}
	if err == nil {
		err = out.watch()
	}
	if err == nil && o.ReadyFD != 0 {
		err = out.openReady(o.Folder)
	}
	if err != nil {
		out.closed = true
		out.close()
		return nil, fmt.Errorf("cannot capture the output: %w", err)
	}
	out.begin()
	return out, nil
}

// open opens a stream where an earlier keeper may have left it.
func (o *output) open(name logs.Stream) error {
	w, err := logs.OpenWriter(o.opts.Logs, name, o.opts.Options)
	if err != nil {
		return err
	}
	s := &stream{name: name, writer: w}
	o.streams = append(o.streams, s)
	w.Listen(func(n int64, why string) { o.hear(name, n, why) })
	s.fifo, err = process.OpenFIFO(filepath.Join(o.opts.Folder, string(name)))
	return err
}

// watch has the streams look for the line that is waited for.
func (o *output) watch() error {
	if o.opts.Match == "" || o.word.now().Matched {
		return nil
	}
	m, err := newMatcher(o.opts.Match, o.match)
	if err != nil {
		return err
	}
	for _, s := range o.streams {
		s.tap = &lines{m: m}
	}
	return nil
}

func (o *output) tell(e Entry) {
	if o.word.merge(e) {
		o.changed()
	}
}

// begin starts the captures, or has them go on after halt: at once, or when the
// disk has let them end. Without a capture that is open it does nothing.
func (o *output) begin() {
	for {
		o.mu.Lock()
		if o.closed || o.now != nil && !o.now.halted {
			o.mu.Unlock()
			return
		}
		if o.now == nil || isClosed(o.now.ended) {
			o.now = o.start()
			o.mu.Unlock()
			return
		}
		ended := o.now.ended
		o.mu.Unlock()
		<-ended
	}
}

// start has every stream captured.
func (o *output) start() *run {
	r := &run{stop: make(chan struct{}), ended: make(chan struct{})}
	r.left.Store(int32(len(o.streams)))
	for _, s := range o.streams {
		go func() {
			o.capture(s, r.stop)
			if r.left.Add(-1) == 0 {
				close(r.ended)
			}
		}()
	}
	return r
}

// capture stores what a stream brings until stop is closed, and then what is
// there.
func (o *output) capture(s *stream, stop <-chan struct{}) {
	var first func(string) bool
	if o.opts.Handshake && s.name == logs.Out && o.word.now().First == nil {
		first = o.offer
	}
	var taps []io.Writer
	if s.tap != nil {
		taps = append(taps, s.tap)
	}
	_ = logs.Capture(s.fifo.Read, s.writer, stop, first, taps...)
}

// halt has the captures end where they are, with what was not read left in the
// pipes, and returns what is closed when they have: the disk may keep them.
func (o *output) halt() (ended <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return closedChannel
	}
	o.now.halted = true
	for _, s := range o.streams {
		_ = s.fifo.Read.SetReadDeadline(time.Unix(1, 0))
	}
	return o.now.ended
}

// drain has the captures end when all is stored that is there, and returns what
// is closed then. They do not begin any more.
func (o *output) drain() (ended <-chan struct{}) {
	o.begin()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.now == nil {
		return closedChannel
	}
	o.closed = true
	close(o.now.stop)
	return o.now.ended
}

var closedChannel = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (o *output) openReady(folder string) error {
	fifo, err := process.OpenFIFO(filepath.Join(folder, fifoReady))
	if err != nil {
		return err
	}
	o.ready = fifo.Write
	return fifo.Read.Close()
}

// files are the process's ends.
func (o *output) files(s *process.Spec) {
	s.Stdout, s.Stderr = o.streams[0].fifo.Write, o.streams[1].fifo.Write
	if o.ready != nil {
		s.Extra = make([]*os.File, o.opts.ReadyFD-firstExtra+1)
		s.Extra[len(s.Extra)-1] = o.ready
	}
}

// firstExtra is the number that the first extra file has in a process.
const firstExtra = 3

// spawned lets go of what the process alone needs.
func (o *output) spawned() {
	if o.ready != nil {
		_ = o.ready.Close()
	}
}

// close stores what is there and ends the capture. It is idempotent.
func (o *output) close() {
	o.once.Do(func() {
		<-o.drain()
		o.word.silent()
		o.spawned()
		for _, s := range o.streams {
			if s.fifo != nil {
				_ = s.fifo.Close()
			}
		}
		o.settle()
		for _, s := range o.streams {
			_ = s.writer.Close()
		}
	})
}

func (o *output) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// dropped counts the bytes lost so far. Where the trouble is over, it is found
// out by that.
func (o *output) dropped() int64 {
	n := o.lost
	for _, s := range o.streams {
		lost, _ := s.writer.Mend()
		n += lost
	}
	return n
}

// clear empties the captured files.
func (o *output) clear() error {
	if o.isClosed() {
		return os.ErrClosed
	}
	var errs []error
	for _, s := range o.streams {
		errs = append(errs, s.writer.Clear())
	}
	return errors.Join(errs...)
}
