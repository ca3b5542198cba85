package keeper

import (
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
	ready   *os.File // nil without a readiness file
	stop    chan struct{}
	done    sync.WaitGroup
	once    sync.Once
}

// openOutput starts the capture that o asks for.
func openOutput(o Output, w *word, changed func()) (*output, error) {
	out := &output{word: w, changed: changed, stop: make(chan struct{})}
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
		for _, w := range o.writers {
			_ = w.Close()
		}
	})
}

func (o *output) dropped() int64 {
	var n int64
	for _, w := range o.writers {
		lost, _ := w.Dropped()
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
