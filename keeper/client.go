package keeper

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/unix"
	"github.com/seed-04209a44/peerd/process"
)

// Settings of a Client.
type Settings struct {
	Folder string // runtime folder, 0700, one for each peer
	// Programs are command lines that start a keeper: what calls Main. The first
	// one that is there and speaks our protocol is taken; the last is taken
	// unasked.
	Programs [][]string
	Door     *process.Door // follows what the keeper spawns; a subreaper
	// Trouble is told when there is no keeper for a while, nil when there is
	// one again; it must not block; may be nil.
	Trouble func(error)
}

// Client is the way to the keeper of a folder. It finds the one that is there,
// or starts one; when it dies, the Client starts another, which takes over all
// that the Client's Captures stand for. Its methods are safe for concurrent use.
type Client struct {
	s       Settings
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	counters atomic.Uint64 // opened so far

	// Owned by mind:
	untaken map[string]*Capture // what the keeper could not take over yet
	unheard map[string]*Capture // what the keeper may hear in this user's place yet
	trouble error               // why

	mu       sync.Mutex // guards all following fields
	now      *session   // nil while there is no keeper
	changed  chan struct{}
	words    map[string]*word    // by key; what is told may come before it is asked for
	captures map[string]*Capture // what a next keeper must take over
}

// connectPatience bounds how long a keeper may take to answer at first.
const connectPatience = 20 * time.Second

// Connect finds the living keeper of the folder or starts one.
func Connect(ctx context.Context, s Settings) (*Client, error) {
	if s.Trouble == nil {
		s.Trouble = func(error) {}
	}
	folder, err := filepath.Abs(s.Folder)
	if err != nil {
		return nil, fmt.Errorf("cannot find the keeper's folder: %w", err)
	}
	s.Folder = folder
	c := &Client{s: s, changed: make(chan struct{}), words: map[string]*word{}, captures: map[string]*Capture{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if err := c.connect(ctx); err != nil {
		c.stop()
		c.running.Wait()
		return nil, err
	}
	c.running.Go(c.mind)
	return c, nil
}

// errStillborn: a keeper was started and is not there.
var errStillborn = errors.New("it died at its birth")

// connect makes a session with a keeper; one that was just leaving, or did not
// live to answer, is no reason to give up.
func (c *Client) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	for {
		err := c.connectOnce(ctx)
		if !errors.Is(err, exchange.ErrClosed) && !errors.Is(err, errStillborn) {
			return err
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return err
		}
	}
}

// connectOnce makes a session with the keeper that is there, else with a new
// one.
func (c *Client) connectOnce(ctx context.Context) error {
	path := filepath.Join(c.s.Folder, socketName)
	conn, err := unix.Dial(ctx, path)
	if err != nil {
		if err := launch(c.s.Folder, choose(ctx, c.s.Programs)); err != nil {
			return err
		}
		if conn, err = unix.Dial(ctx, path); err != nil {
			return fmt.Errorf("cannot reach the keeper: %w: %v", errStillborn, err)
		}
	}
	s := &session{endpoint: exchange.NewEndpoint(conn, exchange.Options{Handlers: c.handlers(), Window: window})}
	c.running.Go(func() { _ = s.endpoint.Run(c.ctx) })
	var l listing
	if err := call(ctx, s.endpoint, TypeList, ours, &l); err != nil {
		_ = s.endpoint.Close()
		return fmt.Errorf("the keeper does not answer: %w", err)
	}
	if !l.Speaks.Protocol.Has(protocol) {
		_ = s.endpoint.Close()
		return fmt.Errorf("cannot use the keeper that is there (pid %d, %s): it speaks protocol %d to %d, not %d",
			l.Pid, l.Speaks.Version, l.Speaks.Protocol.Oldest, l.Speaks.Protocol.Newest, protocol)
	}
	s.pid, s.speaks = l.Pid, l.Speaks
	for _, e := range l.Entries {
		c.word(e.Key).merge(e)
	}
	if err := c.handOver(ctx, s, l.Entries); err != nil {
		_ = s.endpoint.Close()
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = s
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// takeAgain is how long what could not be taken over is left alone.
const takeAgain = time.Second

// retry is the pause between two tries to have a keeper again.
const retry = 100 * time.Millisecond

// mind waits for the end of each keeper and sees to the next.
func (c *Client) mind() {
	for {
		c.mu.Lock()
		s := c.now
		c.mu.Unlock()
		var again <-chan time.Time
		if len(c.untaken)+len(c.unheard) > 0 {
			again = time.After(takeAgain)
		}
		select {
		case <-s.endpoint.Ended():
		case <-again:
			if c.takeOver(c.ctx, s) == nil { // else the keeper has ended over it, and the next one is asked
				c.s.Trouble(c.trouble)
			}
			continue
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		c.now = nil
		c.mu.Unlock()
		c.s.Trouble(errors.New("the keeper has ended"))
		for err := c.connect(c.ctx); err != nil; err = c.connect(c.ctx) {
			c.s.Trouble(err)
			select {
			case <-time.After(retry):
			case <-c.ctx.Done():
				return
			}
		}
		c.s.Trouble(c.trouble)
	}
}

// Pid is that of the keeper's process, 0 while there is none.
func (c *Client) Pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		return 0
	}
	return c.now.pid
}

// Speaks is what the keeper's program speaks; zero while there is none.
func (c *Client) Speaks() Speaks {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		return Speaks{}
	}
	return c.now.speaks
}

// Entries lists what the keeper holds.
func (c *Client) Entries(ctx context.Context) ([]Entry, error) {
	var l listing
	err := c.call(ctx, TypeList, ours, &l)
	return l.Entries, err
}

// Close hangs up. The keeper stays while it holds something; the end of one
// that does not is waited for.
func (c *Client) Close() error {
	c.stop()
	c.running.Wait()
	if c.holdsNothing() {
		awaitEnd(c.s.Folder)
	}
	return nil
}

func (c *Client) holdsNothing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.captures) == 0
}

// word is what is known of a key.
func (c *Client) word(key string) *word {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.words[key]
	if w == nil {
		w = newWord(key, "")
		c.words[key] = w
	}
	return w
}

// handlers hear what the keeper tells.
func (c *Client) handlers() *exchange.Mux {
	m := &exchange.Mux{}
	handle(m, TypeTold, func(e Entry) (any, error) {
		c.word(e.Key).merge(e)
		return nil, nil
	})
	return m
}
