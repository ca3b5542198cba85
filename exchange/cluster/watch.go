package cluster

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Times of a watch. What is followed may be on a node that goes without a word:
// it says in each heartbeat that it is there, and after two that are missed the
// watch begins anew.
const (
	heartbeat = 750 * time.Millisecond
	forgotten = 30 * time.Second // after which the engine forgets a watch that nobody reads
	rewatch   = 250 * time.Millisecond
)

// watcher is one Watch of a bucket. It survives the loss of what it follows: it
// reads all keys again, and tells what has changed meanwhile.
type watcher struct {
	b     *natsBucket
	to    func(Entry)
	known map[string]uint64 // revisions of the keys that are there
	ready bool
}

// Watch implements Bucket.
func (b *natsBucket) Watch(ctx context.Context, prefix string, f func(Entry)) error {
	pattern := b.subject + ">"
	if prefix != "" {
		pattern = b.subject + encodeKey(prefix) + ".>"
	}
	w := &watcher{b: b, to: f, known: make(map[string]uint64)}
	for {
		err := w.follow(ctx, pattern)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		if pauseFor(ctx, rewatch) != nil {
			return nil
		}
	}
}

// errLost is why a watch begins anew.
var errLost = errors.New("a message was lost on its way")

// follow tells of the keys until ctx ends or what it follows is lost. The bucket
// sends to this subscription, no faster than it is read.
func (w *watcher) follow(ctx context.Context, pattern string) error {
	opening, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	inbox := nats.NewInbox()
	sub, err := w.b.js.Conn().SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	_ = sub.SetPendingLimits(-1, -1) // the flow control is the bound
	c, err := w.b.stream.CreatePushConsumer(opening, jetstream.ConsumerConfig{
		FilterSubject: pattern, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy,
		DeliverSubject: inbox, IdleHeartbeat: heartbeat, FlowControl: true,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: forgotten,
	})
	if err != nil {
		return err
	}
	info := c.CachedInfo()
	if info.NumPending == 0 && info.Delivered.Consumer == 0 {
		if err := w.complete(ctx, nil); err != nil {
			return err
		}
		return w.read(ctx, sub, nil)
	}
	return w.read(ctx, sub, make(map[string]bool))
}

// read first reads what is there, which is what all is for, and then what comes.
func (w *watcher) read(ctx context.Context, sub *nats.Subscription, all map[string]bool) error {
	for next := uint64(1); ; {
		m, err := nextMessage(ctx, sub)
		if err != nil {
			return err
		}
		if m.Header.Get("Status") != "" {
			if err := control(m, next-1); err != nil {
				return err
			}
			continue
		}
		at, err := m.Metadata()
		if err != nil || at.Sequence.Consumer != next {
			return errors.Join(err, errLost)
		}
		next++
		e := w.entry(m, at.Sequence.Stream)
		if !e.Deleted && all != nil {
			all[e.Key] = true
		}
		w.tell(e)
		if all != nil && at.NumPending == 0 {
			if err := w.complete(ctx, all); err != nil {
				return err
			}
			all = nil
		}
	}
}

// nextMessage returns what comes next, be it a heartbeat.
func nextMessage(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*heartbeat)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// control answers what is no message: a heartbeat, which tells the number of the
// last message, or the question whether this side keeps up.
func control(m *nats.Msg, last uint64) error {
	if to := m.Header.Get("Nats-Consumer-Stalled"); to != "" {
		m.Reply = to
	}
	if m.Reply != "" {
		return m.Respond(nil)
	}
	if sent := m.Header.Get("Nats-Last-Consumer"); sent != "" && sent != strconv.FormatUint(last, 10) {
		return errLost
	}
	return nil
}

// tell passes on what is news.
func (w *watcher) tell(e Entry) {
	if old, there := w.known[e.Key]; e.Revision <= old || e.Deleted && !there {
		return
	}
	if e.Deleted {
		delete(w.known, e.Key)
	} else {
		w.known[e.Key] = e.Revision
	}
	w.to(e)
}

// complete tells of the keys that went while nobody looked. What was read comes
// from one node, which may be behind: of each key that seems to have gone the
// bucket itself is asked. The first time it tells that all has been read.
func (w *watcher) complete(ctx context.Context, all map[string]bool) error {
	for key, known := range w.known {
		if all[key] {
			continue
		}
		e, err := w.b.Get(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			w.tell(Entry{Key: key, Revision: known + 1, Deleted: true})
		case err != nil:
			return err
		default:
			w.tell(e)
		}
	}
	if !w.ready {
		w.ready = true
		w.to(Entry{Ready: true})
	}
	return nil
}

// entry is a message of the stream as an entry of the bucket. What marks a key
// as deleted is a header: of who deleted it, or of the server when it expired.
func (w *watcher) entry(m *nats.Msg, revision uint64) Entry {
	h := m.Header
	return Entry{
		Key: decodeKey(m.Subject[len(w.b.subject):]), Value: m.Data, Revision: revision,
		Deleted: h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != "",
	}
}
