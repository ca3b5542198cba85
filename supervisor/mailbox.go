package supervisor

import "sync"

// mailbox is an unbounded queue with one reader. Its senders are bounded
// elsewhere: a component's reports by the window of its channel, timers by
// their number, operators by the requests in flight.
type mailbox[T any] struct {
	ready chan struct{} // holds a token while the queue is not empty

	mu     sync.Mutex // guards all following fields
	queue  []T
	closed bool
}

func newMailbox[T any]() *mailbox[T] {
	return &mailbox[T]{ready: make(chan struct{}, 1)}
}

// put queues v and reports whether anybody will still read it.
func (b *mailbox[T]) put(v T) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.queue = append(b.queue, v)
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return true
}

// take empties the queue.
func (b *mailbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queue
	b.queue = nil
	return q
}

// close refuses further messages and returns those never read.
func (b *mailbox[T]) close() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	q := b.queue
	b.queue = nil
	return q
}
