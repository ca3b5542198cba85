package keeper

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/process"
)

// held is one process with its output.
type held struct {
	word *word
	opts Output

	mu   sync.Mutex // guards the following fields; held during a spawn
	out  *output
	proc *process.Process
	gone bool          // forgotten
	over chan struct{} // closed with gone
	ear  *ear          // nil: it has none
}

// errHeld and errNotHeld refuse a command by its key.
var (
	errHeld    = errors.New("it is held already")
	errNotHeld = errors.New("nothing is held under this key")
)

// capture opens the output of a process, or, with an identity, takes over a
// process that another keeper has spawned.
func (k *Keeper) capture(o captureOrder) (*held, error) {
	h, fresh := k.place(o)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.gone || h.out == nil && !fresh:
		return nil, fmt.Errorf("cannot capture the output of %s: %w", o.Key, errNotHeld)
	case !fresh && (o.Identity == nil || h.proc != nil):
		return nil, fmt.Errorf("cannot capture the output of %s: %w", o.Key, errHeld)
	}
	var err error
	if fresh {
		h.out, err = openOutput(o.Output, h.word, func() { k.tell(h) })
	}
	if err == nil && o.Identity != nil {
		err = k.adopt(h, *o.Identity)
	}
	if err != nil && fresh {
		k.discard(o.Key, h)
	}
	return h, err
}

// place finds what is held under a key or makes it; fresh: it is to be opened.
func (k *Keeper) place(o captureOrder) (h *held, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.held[o.Key]; h != nil {
		return h, false
	}
	h = &held{word: newWord(o.Key, o.Output.Folder), opts: o.Output, over: make(chan struct{})}
	if o.Output.First != "" {
		h.word.merge(Entry{First: &o.Output.First})
	}
	h.word.takeOver(o.Loss)
	h.word.merge(Entry{Exit: o.Exit})
	k.held[o.Key] = h
	return h, true
}

// discard gives up what could not be opened; h.mu is held.
func (k *Keeper) discard(key string, h *held) {
	h.gone = true
	close(h.over)
	if h.out != nil {
		h.out.close()
	}
	h.loseEar()
	k.remove(key, h)
}

// adopt follows a process that another keeper has spawned; h.mu is held.
func (k *Keeper) adopt(h *held, id process.Identity) error {
	proc, err := k.door.Adopt(id)
	if err != nil {
		return err
	}
	h.out.spawned()
	k.follow(h, proc)
	return nil
}

// spawn starts the process whose output is captured under key.
func (k *Keeper) spawn(key string, s process.Spec) (*held, error) {
	h, err := k.find(key)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.proc != nil {
		return nil, fmt.Errorf("cannot spawn %s: %w", key, errHeld)
	}
	h.out.files(&s)
	proc, err := k.door.Start(s)
	if err != nil {
		return nil, err
	}
	h.out.spawned()
	k.follow(h, proc)
	return h, nil
}

// follow notes the process and waits for its end; h.mu is held. Where somebody
// else is the parent, who keeps the end back, it may be forgotten before.
func (k *Keeper) follow(h *held, proc *process.Process) {
	h.proc = proc
	if h.ear != nil {
		h.ear.proc.Store(proc)
	}
	id := proc.Identity()
	h.word.merge(Entry{Identity: &id})
	k.watching.Go(func() {
		select {
		case <-proc.Exited():
		case <-h.over:
			return
		case <-k.closing:
			return
		}
		x := proc.Exit()
		if h.word.merge(Entry{Exit: &x}) {
			k.tell(h)
		}
		select {
		case <-proc.Empty():
			k.poke()
		case <-k.closing:
		}
	})
}

// find returns what is held under key, once it is whole.
func (k *Keeper) find(key string) (*held, error) {
	k.mu.Lock()
	h := k.held[key]
	k.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("%s: %w", key, errNotHeld)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.out == nil || h.gone {
		return nil, fmt.Errorf("%s: %w", key, errNotHeld)
	}
	return h, nil
}

// drain stores what the process has written and ends the capture.
func (k *Keeper) drain(key string) (*held, error) {
	h, err := k.find(key)
	if err == nil {
		h.out.close()
	}
	return h, err
}

func (k *Keeper) clear(key string) error {
	h, err := k.find(key)
	if err != nil {
		return err
	}
	return h.out.clear()
}

func (k *Keeper) dropped(key string) (int64, error) {
	h, err := k.find(key)
	if err != nil {
		return 0, err
	}
	return h.out.dropped(), nil
}

// forget lets go of a process whose tree is gone; what is unknown is forgotten
// already.
func (k *Keeper) forget(key string) error {
	h, err := k.find(key)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return nil
	}
	if h.proc != nil {
		if !overSoon(h.proc) {
			return fmt.Errorf("cannot forget %s: it still lives", key)
		}
		h.proc.Release()
	}
	k.discard(key, h)
	return nil
}

// lag is how much later than others a keeper may see an end.
const lag = time.Second

// overSoon reports whether nothing of a process lives.
func overSoon(p *process.Process) bool {
	late := time.NewTimer(lag)
	defer late.Stop()
	select {
	case <-p.Empty():
		return true
	case <-late.C:
		return false
	}
}

func (k *Keeper) remove(key string, h *held) {
	k.mu.Lock()
	if k.held[key] == h {
		delete(k.held, key)
	}
	k.mu.Unlock()
	if k.forgotten != nil {
		k.forgotten(key)
	}
	k.poke()
}
