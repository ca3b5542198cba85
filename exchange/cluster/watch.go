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

// askWithin bounds how long the bucket's leader is asked what is new.
const askWithin = 500 * time.Millisecond

// watcher is one Watch of a bucket. It survives the loss of what it follows: it
// reads all keys again, and tells what has changed meanwhile. What it follows is
// one node's copy, which may lag behind the others for as long as that node takes
// to catch up. So whenever nothing comes the leader is asked what is new.
type watcher struct {
	b       *natsBucket
	pattern string // of the keys' subjects
	to      func(Entry)
	known   map[string]uint64 // revisions of the keys that are there
	upTo    uint64            // revision up to which all is known: what comes of it again is no news
	ready   bool
}

// Watch implements Bucket.
func (b *natsBucket) Watch(ctx context.Context, prefix string, f func(Entry)) error {
	pattern := b.subject + ">"
	if prefix != "" {
		pattern = b.subject + encodeKey(prefix) + ".>"
	}
	w := &watcher{b: b, pattern: pattern, to: f, known: make(map[string]uint64)}
	for {
		err := w.follow(ctx)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		if w.ready {
			w.catchUp(ctx, nil)
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
func (w *watcher) follow(ctx context.Context) error {
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
		FilterSubject: w.pattern, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy,
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
			idle, err := control(m, next-1)
			if err != nil {
				return err
			}
			if idle {
				w.catchUp(ctx, all)
			}
			continue
		}
		at, err := m.Metadata()
		if err != nil || at.Sequence.Consumer != next {
			return errors.Join(err, errLost)
		}
		next++
		w.take(w.entry(m.Subject, m.Header, m.Data, at.Sequence.Stream), all)
		if all != nil && at.NumPending == 0 {
			if err := w.complete(ctx, all); err != nil {
				return err
			}
			all = nil
		}
	}
}

// take takes in what comes next in the order of revisions.
func (w *watcher) take(e Entry, all map[string]bool) {
	if !e.Deleted && all != nil {
		all[e.Key] = true
	}
	if e.Revision > w.upTo {
		w.upTo = e.Revision
		w.tell(e)
	}
}

// catchUp reads what the bucket's leader has after what is known. While there is
// no leader there is nothing new either.
func (w *watcher) catchUp(ctx context.Context, all map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	for {
		m, err := w.b.stream.GetMsg(ctx, w.upTo+1, jetstream.WithGetMsgSubject(w.pattern))
		if err != nil { // there is nothing, or it is asked again with the next heartbeat
			return
		}
		w.take(w.entry(m.Subject, m.Header, m.Data, m.Sequence), all)
	}
}

// nextMessage returns what comes next, be it a heartbeat.
func nextMessage(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*heartbeat)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// control answers what is no message: a heartbeat, which tells the number of the
// last message, or the question whether this side keeps up. It is idle if there was
// nothing to send.
func control(m *nats.Msg, last uint64) (idle bool, err error) {
	if to := m.Header.Get("Nats-Consumer-Stalled"); to != "" {
		m.Reply = to
	}
	if m.Reply != "" {
		return false, m.Respond(nil)
	}
	if sent := m.Header.Get("Nats-Last-Consumer"); sent != "" && sent != strconv.FormatUint(last, 10) {
		return false, errLost
	}
	return true, nil
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
func (w *watcher) entry(subject string, h nats.Header, data []byte, revision uint64) Entry {
	return Entry{
		Key: decodeKey(subject[len(w.b.subject):]), Value: data, Revision: revision,
		Deleted: h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != "",
	}
}
