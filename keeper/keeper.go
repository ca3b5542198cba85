package keeper

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/seed-04209a44/peerd/process"
)

// Keeper holds processes: it spawns them, stores their output and remembers
// their exits until they are forgotten. It is used in its own operating-system
// process (see Main and Client), or directly where the platform has no such
// process. Its methods are safe for concurrent use.
type Keeper struct {
	door      *process.Door
	less      chan struct{}    // has something when there may be less to keep
	forgotten func(key string) // called with what was forgotten; may be nil

	mu       sync.Mutex // guards all following fields
	held     map[string]*held
	audience map[int]func(Entry) // who is told of news
	visitors int                 // numbers the audience
	halted   bool                // it is about to be another program
	closing  chan struct{}
	watching sync.WaitGroup
}

// New makes a keeper that spawns through door, which stays the caller's.
func New(door *process.Door) *Keeper {
	return &Keeper{door: door, held: map[string]*held{}, audience: map[int]func(Entry){}, less: make(chan struct{}, 1), closing: make(chan struct{})}
}

// Capture prepares the output of a process under a key, and with it the way to
// spawn it. A key that is held already is an error.
func (k *Keeper) Capture(_ context.Context, key string, o Output) (*Capture, error) {
	h, err := k.capture(captureOrder{Key: key, Output: o})
	if err != nil {
		return nil, err
	}
	return newCapture(key, o, h.word, local{k}, nil)
}

// all is what is held, in no order.
func (k *Keeper) all() []*held {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Values(k.held))
}

// list tells what is known of all that is held.
func (k *Keeper) list() []Entry {
	all := k.all()
	entries := make([]Entry, 0, len(all))
	for _, h := range all {
		entries = append(entries, h.word.now())
	}
	return entries
}

// Close ends every capture, storing what is there. The processes go on, held by
// nobody. Nothing else may be asked of the keeper any more.
func (k *Keeper) Close() error {
	close(k.closing)
	k.watching.Wait()
	for _, e := range k.list() {
		_, _ = k.drain(e.Key)
	}
	k.loseEars()
	return nil
}

// local is the host of a Capture in the keeper's own process.
type local struct{ k *Keeper }

func (l local) spawn(_ context.Context, key string, s process.Spec) (*Process, error) {
	h, err := l.k.spawn(key, s)
	if err != nil {
		return nil, err
	}
	return &Process{Process: h.proc}, nil
}

func (l local) drain(_ context.Context, key string) error {
	_, err := l.k.drain(key)
	return err
}
func (l local) clear(_ context.Context, key string) error            { return l.k.clear(key) }
func (l local) dropped(_ context.Context, key string) (int64, error) { return l.k.dropped(key) }
func (l local) forget(_ context.Context, key string) error           { return l.k.forget(key) }
