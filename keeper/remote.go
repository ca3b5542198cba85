package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/process"
)

// Capture has the keeper prepare the output of a process under a key. It waits
// for a keeper until ctx ends; what it has asked for it sees through.
func (c *Client) Capture(ctx context.Context, key string, o Output) (*Capture, error) {
	if _, err := c.session(ctx); err != nil {
		return nil, err
	}
	var e Entry
	if err := c.call(context.WithoutCancel(ctx), TypeCapture, captureOrder{Key: key, Output: o}, &e); err != nil {
		return nil, err
	}
	w := c.word(key)
	w.merge(e)
	return c.register(key, o, w, nil)
}

// register makes the Capture of what the keeper holds under key.
func (c *Client) register(key string, o Output, w *word, p *Process) (*Capture, error) {
	cp, err := newCapture(key, o, w, remote{c}, p)
	if err != nil {
		return nil, errors.Join(err, remote{c}.forget(c.ctx, key))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.captures[key] = cp
	return cp, nil
}

// Attach takes up a process that an earlier Client had spawned under key. The
// keeper that spawned it may hold it still, or be gone; then this one takes it
// over by its identity. A process that went on as another, which the keeper
// does not know, is told by its identity too; its exit is seen from here. The
// process may have ended: its exit is the one that was kept, and unknown where
// nobody kept it.
func (c *Client) Attach(ctx context.Context, key string, o Output, id process.Identity) (*Capture, *Process, error) {
	var e Entry
	order := captureOrder{Key: key, Output: o, Identity: &id}
	if w := c.word(key); w.now().Identity == nil {
		if err := c.call(ctx, TypeCapture, order, &e); err != nil {
			return nil, nil, err
		}
		w.merge(e)
	}
	w := c.word(key)
	if *w.now().Identity != id {
		w = w.of(id)
	}
	p, err := c.adopt(w, id)
	if err != nil {
		return nil, nil, err
	}
	cp, err := c.register(key, o, w, p)
	if err != nil {
		p.Release()
		return nil, nil, err
	}
	return cp, p, nil
}

// Become has the keeper become another program, in its own process and with all
// that it holds: argv is the command line that starts a keeper, and its first
// word an absolute path ("/proc/self/exe" is this program, not the keeper's).
// It blocks until the new program answers, or until the keeper has said why it
// stays what it is: because the program is no keeper, does not take over what
// this one has, or because something is still under way.
//
// No process, exit or line is lost, whatever comes of it. An error that wraps
// exchange.ErrClosed says that the connection broke over it: what the keeper is
// then, Speaks tells.
func (c *Client) Become(ctx context.Context, argv []string) (Speaks, error) {
	if rest, ok := strings.CutPrefix(argv[0], "/proc/self/"); ok {
		argv = append([]string{fmt.Sprintf("/proc/%d/%s", os.Getpid(), rest)}, argv[1:]...)
	}
	s, err := c.session(ctx)
	if err != nil {
		return Speaks{}, err
	}
	var now Speaks
	if err := call(ctx, s.endpoint, TypeBecome, becomeOrder{argv}, &now); err != nil {
		return Speaks{}, fmt.Errorf("the keeper did not become %s: %w", argv[0], err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.speaks = now
	return now, nil
}

// Forget lets the keeper forget what no Capture stands for.
func (c *Client) Forget(ctx context.Context, key string) error { return remote{c}.forget(ctx, key) }

// adopt follows a process of the keeper's from here. It lives already, and must
// not be taken for one that does not: what this program lacks is waited for.
func (c *Client) adopt(w *word, id process.Identity) (*Process, error) {
	proc, err := c.s.Door.Adopt(id)
	for err != nil && process.Shortage(err.Error()) != "" {
		select {
		case <-time.After(retry):
			proc, err = c.s.Door.Adopt(id)
		case <-c.ctx.Done():
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	p := &Process{Process: proc, exited: make(chan struct{})}
	c.running.Go(func() { p.follow(w, c.ctx.Done()) })
	return p, nil
}

// isDrained reports whether nothing is captured any more.
func (c *Capture) isDrained() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drained
}

// order is what makes a next keeper go on where the one before ended.
func (c *Capture) order() captureOrder {
	o := captureOrder{Key: c.key, Output: c.output}
	e := c.word.now()
	if e.First != nil {
		o.Output.First = *e.First
	}
	if e.Matched {
		o.Output.Match = ""
	}
	o.Identity, o.Exit, o.Loss = e.Identity, e.Exit, e.Loss
	if o.Identity != nil {
		o.Output.ReadyFD = 0
	}
	return o
}

// remote is the host of a Capture in the keeper's process.
type remote struct{ c *Client }

// spawn asks the keeper. One that dies meanwhile may have spawned: what it left
// is looked for before the next one is asked.
func (r remote) spawn(ctx context.Context, key string, s process.Spec) (*Process, error) {
	w, order := r.c.word(key), spawnOrder{Key: key, Spec: s}
	e, err := r.try(ctx, order)
	for errors.Is(err, exchange.ErrClosed) && r.c.ctx.Err() == nil {
		if p, err := r.leftover(ctx, w, order); p != nil || err != nil {
			return p, err
		}
		e, err = r.try(ctx, order)
	}
	if err != nil {
		return nil, err
	}
	w.merge(e)
	if e.Identity == nil {
		return nil, fmt.Errorf("the keeper does not say what it spawned for %s", key)
	}
	return r.c.adopt(w, *e.Identity)
}

func (r remote) try(ctx context.Context, order spawnOrder) (Entry, error) {
	s, err := r.c.session(ctx)
	if err != nil {
		return Entry{}, err
	}
	var e Entry
	err = call(ctx, s.endpoint, TypeSpawn, order, &e)
	return e, err
}

// leftover finds what a keeper has spawned that died before it could tell; nil:
// nothing. It looks at once, as what was spawned may end soon, and who follows it
// by then alone knows how; and again when the next keeper is there, as it may
// just have been born before.
func (r remote) leftover(ctx context.Context, w *word, order spawnOrder) (*Process, error) {
	for range 2 {
		found, err := Leftovers(r.c.s.Door, order.Spec.Name)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return r.claim(ctx, w, order.Key, found[0])
		}
		if _, err := r.c.session(ctx); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// claim follows what was found and has the next keeper take it over.
func (r remote) claim(ctx context.Context, w *word, key string, id process.Identity) (*Process, error) {
	p, err := r.c.adopt(w, id)
	if err != nil {
		return nil, err
	}
	var e Entry
	if err := r.c.call(ctx, TypeCapture, captureOrder{Key: key, Identity: &id}, &e); err != nil {
		p.Release()
		return nil, err
	}
	w.merge(e)
	return p, nil
}

func (r remote) drain(ctx context.Context, key string) error {
	var e Entry
	err := r.c.call(ctx, TypeDrain, keyOrder{key}, &e)
	r.c.word(key).merge(e)
	return err
}

func (r remote) clear(ctx context.Context, key string) error {
	return r.c.call(ctx, TypeClear, keyOrder{key}, nil)
}

func (r remote) dropped(ctx context.Context, key string) (int64, error) {
	var d droppedBytes
	err := r.c.call(ctx, TypeDropped, keyOrder{key}, &d)
	return d.Bytes, err
}

func (r remote) forget(ctx context.Context, key string) error {
	if err := r.c.call(ctx, TypeForget, keyOrder{key}, nil); err != nil {
		return err
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	delete(r.c.captures, key)
	delete(r.c.words, key)
	return nil
}
