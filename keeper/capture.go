package keeper

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/process"
)

// host does the work of a Capture, in this process or in the keeper's.
type host interface {
	spawn(ctx context.Context, key string, s process.Spec) (*Process, error)
	drain(ctx context.Context, key string) error
	clear(ctx context.Context, key string) error
	dropped(ctx context.Context, key string) (int64, error)
	forget(ctx context.Context, key string) error
}

// Capture is the output of one process that a keeper holds, from before its
// spawn until it is forgotten:
//
//  1. Keeper.Capture or Client.Capture; Client.Attach to what lives already
//  2. Spawn, once
//  3. Drain, when the tree is gone
//  4. Forget, when the exit is written down
//
// Its methods are safe for concurrent use.
type Capture struct {
	key    string
	output Output
	word   *word
	host   host

	// Stdout and Stderr write where the process does; they belong to the
	// Capture and are closed by Drain.
	Stdout, Stderr *os.File
	once           sync.Once

	mu      sync.Mutex // guards the following fields
	proc    *Process
	drained bool
	ear     *os.File // its socket of sd_notify, for keepers to come; nil: there is none
}

func newCapture(key string, o Output, w *word, h host, proc *Process) (*Capture, error) {
	c := &Capture{key: key, output: o, word: w, host: h, proc: proc}
	var errs [2]error
	c.Stdout, errs[0] = openEnd(o.Folder, fifoOut)
	c.Stderr, errs[1] = openEnd(o.Folder, fifoErr)
	if err := errors.Join(errs[:]...); err != nil {
		c.closeEnds()
		return nil, err
	}
	return c, nil
}

// openEnd opens a FIFO so that opening never waits and unread bytes live as
// long as this process.
func openEnd(folder, name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(folder, name), os.O_RDWR, 0)
}

func (c *Capture) closeEnds() {
	for _, f := range []*os.File{c.Stdout, c.Stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ear != nil {
		_ = c.ear.Close()
		c.ear = nil
	}
}

// Key is what the capture was made under.
func (c *Capture) Key() string { return c.key }

// Spawn starts the process. The files of s are given by the capture.
func (c *Capture) Spawn(ctx context.Context, s process.Spec) (*Process, error) {
	s.Stdout, s.Stderr, s.Extra = nil, nil, nil
	p, err := c.host.spawn(ctx, c.key, s)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proc = p
	return p, nil
}

// FirstLine waits for the first line of stdout, where the capture was made for
// a handshake. It answers again whenever it is asked.
func (c *Capture) FirstLine(ctx context.Context) (string, error) { return c.word.firstLine(ctx) }

// Seen is the first line as far as it is known, "" before.
func (c *Capture) Seen() string {
	if first := c.word.now().First; first != nil {
		return *first
	}
	return ""
}

// Matched is closed when a line has matched.
func (c *Capture) Matched() <-chan struct{} { return c.word.matched }

// patience bounds what is asked of a keeper where the caller sets no time.
const patience = 10 * time.Second

// Drain stores what was written and ends the capture. It is idempotent.
func (c *Capture) Drain() error {
	var err error
	c.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err = c.host.drain(ctx, c.key)
		c.mu.Lock()
		c.drained = true
		c.mu.Unlock()
		c.closeEnds()
	})
	return err
}

// Loss is what of the output could not be stored, as far as it was told; nil:
// nothing.
func (c *Capture) Loss() *Loss { return c.word.now().Loss }

// Clear empties the captured files.
func (c *Capture) Clear(ctx context.Context) error { return c.host.clear(ctx, c.key) }

// Dropped counts the bytes that could not be stored, now. Where the disk accepts
// again, that is found out by it.
func (c *Capture) Dropped(ctx context.Context) (int64, error) { return c.host.dropped(ctx, c.key) }

// Forget lets the keeper forget the process, exit and all. What still lives
// cannot be forgotten.
func (c *Capture) Forget() error {
	c.once.Do(c.closeEnds)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.host.forget(ctx, c.key)
}

// Process is a spawned process. It is followed and signalled from here,
// whoever spawned it.
type Process struct {
	*process.Process
	exited chan struct{} // closed with the exit; nil: as Process says
	exit   process.Exit  // written before exited is closed
}

// Exited is closed when the leader has ended and its exit is known as well as
// it can be.
func (p *Process) Exited() <-chan struct{} {
	if p.exited == nil {
		return p.Process.Exited()
	}
	return p.exited
}

// Exit is valid once Exited is closed.
func (p *Process) Exit() process.Exit {
	if p.exited == nil {
		return p.Process.Exit()
	}
	select {
	case <-p.exited:
		return p.exit
	default:
		return process.Exit{Code: -1, Reason: "still running"}
	}
}

// otherWord is how long, after one source did not know an exit, the other may
// take to tell it.
const otherWord = 5 * time.Second

// follow settles the exit by what is seen from here and what the keeper tells.
func (p *Process) follow(w *word, done <-chan struct{}) {
	sources := [2]struct {
		ended <-chan struct{}
		exit  func() process.Exit
	}{
		{w.ended, func() process.Exit { return *w.now().Exit }},
		{p.Process.Exited(), p.Process.Exit},
	}
	var late <-chan time.Time
	for {
		select {
		case <-sources[0].ended:
			p.exit = sources[0].exit()
			sources[0].ended = nil
		case <-sources[1].ended:
			p.exit = sources[1].exit()
			sources[1].ended = nil
		case <-late:
			close(p.exited)
			return
		case <-done:
			return
		}
		if known(p.exit) || sources[0].ended == nil && sources[1].ended == nil {
			w.merge(Entry{Exit: &p.exit})
			close(p.exited)
			return
		}
		late = time.After(otherWord)
	}
}
