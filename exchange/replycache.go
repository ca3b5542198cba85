package exchange

import (
	"container/list"
	"context"
	"sync"
)

// Defaults of NewReplyCache.
const (
	DefaultCachedReplies = 4096
	DefaultCachedBytes   = 16 << 20
)

// ReplyCache gives a command one effect however often it is sent: once a command
// with an idempotency key has SUCCEEDED, the same reply answers every later one
// of that type and key, without its handler being run. Of several at the same
// time one runs and the others wait for it. A command that failed is run again.
//
// It is bounded by entries and bytes; the least recently used go first. It may
// serve several Muxes and is safe for concurrent use.
type ReplyCache struct {
	maxEntries, maxBytes int
	byID                 bool

	mu      sync.Mutex // guards all below
	entries map[string]*list.Element
	recent  *list.List // of *cached; the most recently used first
	bytes   int
	running map[string]chan struct{} // closed when the run is over
}

type cached struct {
	key   string
	reply Reply
}

// size is what an entry counts for in the bound of bytes.
func (c *cached) size() int { return len(c.key) + len(c.reply.Payload) + len(c.reply.Type) + 128 }

// NewReplyCache returns a cache of at most so many entries and bytes; 0 is the
// default. With byID a command without idempotency key is known by its ID: a
// controller that sends a command again under the same ID (as batches do) needs
// no more.
func NewReplyCache(maxEntries, maxBytes int, byID bool) *ReplyCache {
	if maxEntries <= 0 {
		maxEntries = DefaultCachedReplies
	}
	if maxBytes <= 0 {
		maxBytes = DefaultCachedBytes
	}
	return &ReplyCache{
		maxEntries: maxEntries, maxBytes: maxBytes, byID: byID,
		entries: make(map[string]*list.Element), recent: list.New(), running: make(map[string]chan struct{}),
	}
}

// do answers cmd from the cache, or with what run returns.
func (c *ReplyCache) do(ctx context.Context, cmd *Command, run func() Reply) Reply {
	key := c.key(cmd)
	if key == "" {
		return run()
	}
	for {
		reply, over, found := c.begin(key)
		if found {
			reply.CommandID, reply.TraceParent = cmd.ID, cmd.TraceParent
			return reply
		}
		if over == nil {
			break
		}
		select {
		case <-over:
		case <-ctx.Done():
			return failure(cmd, "the same command is still running: "+ctx.Err().Error())
		}
	}
	var reply Reply
	defer func() { c.end(key, reply) }() // even if run ends the goroutine
	reply = run()
	return reply
}

func (c *ReplyCache) key(cmd *Command) string {
	switch {
	case c == nil:
		return ""
	case cmd.IdempotencyKey != "":
		return cmd.Type + "\x00key\x00" + cmd.IdempotencyKey
	case c.byID:
		return cmd.Type + "\x00id\x00" + cmd.ID
	}
	return ""
}

// begin returns the reply, or a channel to wait on; with neither the caller is
// the one to run the command, and must call end.
func (c *ReplyCache) begin(key string) (reply Reply, over <-chan struct{}, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[key]; el != nil {
		c.recent.MoveToFront(el)
		return el.Value.(*cached).reply, nil, true
	}
	if over := c.running[key]; over != nil {
		return Reply{}, over, false
	}
	c.running[key] = make(chan struct{})
	return Reply{}, nil, false
}

func (c *ReplyCache) end(key string, reply Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.running[key])
	delete(c.running, key)
	entry := &cached{key: key, reply: reply}
	if reply.Status != Succeeded || entry.size() > c.maxBytes {
		return
	}
	c.entries[key] = c.recent.PushFront(entry)
	c.bytes += entry.size()
	for len(c.entries) > c.maxEntries || c.bytes > c.maxBytes {
		oldest := c.recent.Remove(c.recent.Back()).(*cached)
		delete(c.entries, oldest.key)
		c.bytes -= oldest.size()
	}
}
