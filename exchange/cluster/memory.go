package cluster

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is an engine for tests: all its nodes live in this process, and
// nothing outlives it.
type Memory struct {
	mu      sync.Mutex // guards all below
	buckets map[string]*memoryBucket
	served  map[string]*served
}

// served is a subject with its server.
type served struct {
	ctx    context.Context
	answer Answer
	wg     sync.WaitGroup
}

// NewMemory returns an engine without nodes.
func NewMemory() *Memory {
	return &Memory{buckets: make(map[string]*memoryBucket), served: make(map[string]*served)}
}

// Engine returns the door of the node of that name.
func (m *Memory) Engine(node string) Engine { return memoryEngine{m, node} }

type memoryEngine struct {
	*Memory
	node string
}

func (e memoryEngine) Node() string { return e.node }

// Bucket implements Engine.
func (m *Memory) Bucket(_ context.Context, name string, o BucketOptions) (Bucket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buckets[name] == nil {
		m.buckets[name] = &memoryBucket{ttl: o.TTL, entries: make(map[string]*memoryEntry), changed: make(chan struct{})}
	}
	return m.buckets[name], nil
}

// Serve implements Engine.
func (m *Memory) Serve(ctx context.Context, subject string, answer Answer) error {
	s := &served{ctx: ctx, answer: answer}
	m.mu.Lock()
	if m.served[subject] != nil {
		m.mu.Unlock()
		return errors.New("cannot serve " + subject + ": it is served already")
	}
	m.served[subject] = s
	m.mu.Unlock()
	<-ctx.Done()
	m.mu.Lock()
	delete(m.served, subject)
	m.mu.Unlock()
	s.wg.Wait()
	return nil
}

// Request implements Engine.
func (m *Memory) Request(ctx context.Context, subject string, data []byte, each func([]byte) error) ([]byte, error) {
	m.mu.Lock()
	s := m.served[subject]
	if s == nil {
		m.mu.Unlock()
		return nil, ErrNobody
	}
	s.wg.Add(1)
	m.mu.Unlock()
	wanted, done := context.WithCancel(s.ctx)
	defer done()
	type answer struct {
		data []byte
		err  error
	}
	answers := make(chan answer)
	send := func(a answer) error {
		select {
		case answers <- a:
			return nil
		case <-wanted.Done():
			return wanted.Err()
		}
	}
	var part func([]byte) error
	if each != nil {
		part = func(data []byte) error { return send(answer{data: data}) }
	}
	last := make(chan answer, 1)
	go func() {
		defer s.wg.Done()
		data, err := s.answer(wanted, data, part)
		if err != nil {
			err = errors.New(err.Error()) // as over a network: no more than its text
		}
		last <- answer{data: data, err: err}
	}()
	for {
		select {
		case a := <-answers:
			if err := each(a.data); err != nil {
				return nil, err
			}
		case a := <-last:
			return a.data, a.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type memoryBucket struct {
	ttl time.Duration

	mu       sync.Mutex // guards all below
	revision uint64
	entries  map[string]*memoryEntry // deleted ones stay, as markers
	changed  chan struct{}           // closed and replaced with each write
}

type memoryEntry struct {
	Entry
	expiry *time.Timer
}

func (b *memoryBucket) Get(_ context.Context, key string) (Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[key]; e != nil && !e.Deleted {
		return e.Entry, nil
	}
	return Entry{}, ErrNotFound
}

func (b *memoryBucket) Put(_ context.Context, key string, value []byte, after uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if after != Any && after != b.at(key) {
		return 0, ErrConflict
	}
	revision := b.write(Entry{Key: key, Value: slices.Clone(value)})
	if b.ttl > 0 {
		b.entries[key].expiry = time.AfterFunc(b.ttl, func() { _ = b.Delete(context.Background(), key, revision) })
	}
	return revision, nil
}

func (b *memoryBucket) Delete(_ context.Context, key string, after uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch at := b.at(key); {
	case after != Any && after != at:
		return ErrConflict
	case at != 0:
		b.write(Entry{Key: key, Deleted: true})
	}
	return nil
}

// at is the revision of a key, 0 if it is not there; b.mu must be held.
func (b *memoryBucket) at(key string) uint64 {
	if e := b.entries[key]; e != nil && !e.Deleted {
		return e.Revision
	}
	return 0
}

// write puts e in place of what is there; b.mu must be held.
func (b *memoryBucket) write(e Entry) uint64 {
	if old := b.entries[e.Key]; old != nil && old.expiry != nil {
		old.expiry.Stop()
	}
	b.revision++
	e.Revision = b.revision
	b.entries[e.Key] = &memoryEntry{Entry: e}
	close(b.changed)
	b.changed = make(chan struct{})
	return e.Revision
}

func (b *memoryBucket) Watch(ctx context.Context, prefix string, f func(Entry)) error {
	seen, ready := uint64(0), false
	for {
		news, changed := b.since(seen, prefix)
		for _, e := range news {
			seen = e.Revision
			if ready || !e.Deleted {
				f(e)
			}
		}
		if !ready {
			ready = true
			f(Entry{Ready: true})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// since returns the entries written after a revision, oldest first.
func (b *memoryBucket) since(revision uint64, prefix string) ([]Entry, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var news []Entry
	for key, e := range b.entries {
		if e.Revision > revision && below(key, prefix) {
			news = append(news, e.Entry)
		}
	}
	slices.SortFunc(news, func(a, b Entry) int { return cmp.Compare(a.Revision, b.Revision) })
	return news, b.changed
}

// below tells whether a key is prefix or lies under it.
func below(key, prefix string) bool {
	return prefix == "" || key == prefix || strings.HasPrefix(key, prefix+"/")
}
