package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

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
	word    *word
	changed func() // the word has news
	fifos   []*process.FIFO
	writers []*logs.Writer
	lost    int64    // by earlier keepers
	ready   *os.File // nil without a readiness file
	losing  losing
	stop    chan struct{}
	done    sync.WaitGroup
	once    sync.Once
}

// openOutput starts the capture that o asks for.
func openOutput(o Output, w *word, changed func()) (*output, error) {
	out := &output{word: w, changed: changed, lost: w.lost(), stop: make(chan struct{})}
	taps, err := out.taps(o.Match)
	if err != nil {
		return nil, err
	}
	for i, s := range []logs.Stream{logs.Out, logs.Err} {
		if err = out.open(s, o, taps[i]); err != nil {
			break
		}
	}
	if err == nil && o.ReadyFD != 0 {
		err = out.openReady(o.Folder)
	}
	if err != nil {
		out.close()
		return nil, fmt.Errorf("cannot capture the output: %w", err)
	}
	return out, nil
}

// taps look for the line that is waited for, one in each stream.
func (o *output) taps(match string) ([2][]io.Writer, error) {
	if match == "" || o.word.now().Matched {
		return [2][]io.Writer{}, nil
	}
	m, err := newMatcher(match, func() { o.tell(Entry{Matched: true}) })
	if err != nil {
		return [2][]io.Writer{}, err
	}
	return [2][]io.Writer{{&lines{m: m}}, {&lines{m: m}}}, nil
}

func (o *output) tell(e Entry) {
	if o.word.merge(e) {
		o.changed()
	}
}

func (o *output) open(s logs.Stream, opts Output, taps []io.Writer) error {
	w, err := logs.OpenWriter(opts.Logs, s, opts.Options)
	if err != nil {
		return err
	}
	o.writers = append(o.writers, w)
	w.Listen(func(n int64, why string) { o.hear(s, n, why) })
	fifo, err := process.OpenFIFO(filepath.Join(opts.Folder, string(s)))
	if err != nil {
		return err
	}
	o.fifos = append(o.fifos, fifo)
	var first func(string) bool
	if opts.Handshake && s == logs.Out && o.word.now().First == nil {
		first = o.offer
	}
	o.done.Go(func() { _ = logs.Capture(fifo.Read, w, o.stop, first, taps...) })
	return nil
}

// offer takes a first line that looks like a handshake; anything else stays
// output, and is told all the same so that its user can say what came.
func (o *output) offer(line string) bool {
	o.tell(Entry{First: &line})
	return looksLikeHandshake(line)
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
func (o *output) files(s *process.Spec, readyFD int) {
	s.Stdout, s.Stderr = o.fifos[0].Write, o.fifos[1].Write
	if o.ready != nil {
		s.Extra = make([]*os.File, readyFD-firstExtra+1)
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
		close(o.stop)
		o.done.Wait()
		o.word.silent()
		o.spawned()
		for _, f := range o.fifos {
			_ = f.Close()
		}
		o.settle()
		for _, w := range o.writers {
			_ = w.Close()
		}
	})
}

// settle closes the account of what was lost.
func (o *output) settle() {
	l := &o.losing
	l.mu.Lock()
	defer l.mu.Unlock()
	n := o.lost
	for _, w := range o.writers {
		lost, _ := w.Dropped()
		n += lost
	}
	if n > 0 {
		o.word.loses(n, "")
	}
}

// losing is what the two streams lose.
type losing struct {
	mu    sync.Mutex // guards the following fields; held while it is told, so that the news keep their order
	bytes map[logs.Stream]int64
	why   map[logs.Stream]string
}

// hear takes in what one stream loses, and tells what both do.
func (o *output) hear(s logs.Stream, n int64, why string) {
	l := &o.losing
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes == nil {
		l.bytes, l.why = map[logs.Stream]int64{}, map[logs.Stream]string{}
	}
	l.bytes[s], l.why[s] = n, why
	o.word.loses(o.lost+l.bytes[logs.Out]+l.bytes[logs.Err], cmp.Or(l.why[logs.Out], l.why[logs.Err]))
	o.changed()
}

// dropped counts the bytes lost so far. Where the trouble is over, it is found
// out by that.
func (o *output) dropped() int64 {
	n := o.lost
	for _, w := range o.writers {
		lost, _ := w.Mend()
		n += lost
	}
	return n
}

// clear empties the captured files.
func (o *output) clear() error {
	var errs []error
	for _, w := range o.writers {
		errs = append(errs, w.Clear())
	}
	return errors.Join(errs...)
}
