package peer

import (
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/seed-04209a44/peerd/logs"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
)

// output captures one generation's stdout and stderr. Both are FIFOs that the
// component holds read-write, so that it never dies of a reader that went.
type output struct {
	childOut, childErr *os.File // the component's ends; hooks get them too
	stop               chan struct{}
	done               sync.WaitGroup
	once               sync.Once
	writers            []*logs.Writer
	// first yields the first line of stdout, closed without one.
	first chan string
}

// openOutput prepares the capture in logDir; the FIFOs lie in dir. listener
// gives who sees what is captured of a stream, or nil.
func openOutput(logDir, dir string, spec *profiles.Spec, listener func(logs.Stream) io.Writer) (*output, error) {
	o := &output{stop: make(chan struct{}), first: make(chan string, 1)}
	opts := logs.Options{MaxSize: spec.Logs.MaxSize, MaxFiles: spec.Logs.MaxFiles, MaxLine: spec.Logs.MaxLine}
	for _, s := range []logs.Stream{logs.Out, logs.Err} {
		if err := o.open(s, logDir, dir, opts, spec.CCP, listener(s)); err != nil {
			o.close()
			return nil, err
		}
	}
	return o, nil
}

// open starts the capture of one stream. With ccp, the first line of stdout is
// the component's handshake and no output.
func (o *output) open(s logs.Stream, logDir, dir string, opts logs.Options, ccp bool, listener io.Writer) error {
	w, err := logs.OpenWriter(logDir, s, opts)
	if err != nil {
		return err
	}
	o.writers = append(o.writers, w)
	fifo, err := process.OpenFIFO(filepath.Join(dir, string(s)))
	if err != nil {
		return err
	}
	if s == logs.Out {
		o.childOut = fifo.Write
	} else {
		o.childErr = fifo.Write
	}
	var first func(string) bool
	if ccp && s == logs.Out {
		first = o.offer
	}
	var taps []io.Writer
	if listener != nil {
		taps = append(taps, listener)
	}
	o.done.Go(func() {
		defer fifo.Read.Close()
		if first != nil {
			defer close(o.first)
		}
		_ = logs.Capture(fifo.Read, w, o.stop, first, taps...)
	})
	return nil
}

// offer takes a first line that looks like a handshake; anything else stays
// output, and is offered all the same so that the handshake can say what came.
func (o *output) offer(line string) bool {
	o.first <- line
	return looksLikeHandshake(line)
}

// close drains what is there and ends the capture. It is idempotent.
func (o *output) close() {
	o.once.Do(func() {
		close(o.stop)
		o.done.Wait()
		for _, end := range []*os.File{o.childOut, o.childErr} {
			if end != nil {
				_ = end.Close()
			}
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
	for _, w := range o.writers {
		if err := w.Clear(); err != nil {
			return err
		}
	}
	return nil
}
