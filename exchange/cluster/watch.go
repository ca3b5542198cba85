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

// Bounds of asking the bucket's leader: what is new, when nothing comes; and when it
// was last asked, beyond which deletions may have been missed, whose markers expire.
const (
	askWithin   = 500 * time.Millisecond
	askAnewFrom = markerTTL / 2
)

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
	asked   time.Time         // when the leader last said that there is nothing after it, by the wall clock
	whole   bool              // complete was called since it follows what it follows
	ready   bool              // and ever
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
			_ = w.catchUp(ctx, askWithin)
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
	w.whole = false
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
	if info := c.CachedInfo(); info.NumPending == 0 && info.Delivered.Consumer == 0 {
		if err := w.complete(ctx); err != nil {
			return err
		}
	}
	return w.read(ctx, sub)
}

// read reads what is there, and then what comes.
func (w *watcher) read(ctx context.Context, sub *nats.Subscription) error {
	for next := uint64(1); ; {
		m, err := nextMessage(ctx, sub)
		if err != nil {
			return err
		}
		if m.Header.Get("Status") != "" {
			if err := w.control(ctx, m, next-1); err != nil {
				return err
			}
			continue
		}
		at, err := m.Metadata()
		if err != nil || at.Sequence.Consumer != next {
			return errors.Join(err, errLost)
		}
		next++
		w.take(w.entry(m.Subject, m.Header, m.Data, at.Sequence.Stream))
		if !w.whole && at.NumPending == 0 {
			if err := w.complete(ctx); err != nil {
				return err
			}
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
func (w *watcher) control(ctx context.Context, m *nats.Msg, last uint64) error {
	if to := m.Header.Get("Nats-Consumer-Stalled"); to != "" {
		m.Reply = to
	}
	if m.Reply != "" {
		return m.Respond(nil)
	}
	if sent := m.Header.Get("Nats-Last-Consumer"); sent != "" && sent != strconv.FormatUint(last, 10) {
		return errLost
	}
	if since := time.Since(w.asked); !w.whole || since < 0 || since > askAnewFrom {
		return w.complete(ctx)
	}
	_ = w.catchUp(ctx, askWithin) // else with the next heartbeat
	return nil
}

// take takes in what comes next in the order of revisions.
func (w *watcher) take(e Entry) {
	if e.Revision > w.upTo {
		w.upTo = e.Revision
		w.tell(e)
	}
}

// catchUp reads what the bucket's leader has after what is known. While there is
// no leader there is nothing new either.
func (w *watcher) catchUp(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		m, err := w.b.stream.GetMsg(ctx, w.upTo+1, jetstream.WithGetMsgSubject(w.pattern))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			w.asked = time.Now().Round(0)
			return nil
		case err != nil:
			return err
		}
		w.take(w.entry(m.Subject, m.Header, m.Data, m.Sequence))
	}
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

// complete tells of what the copy that is followed may not know yet: what the
// leader has besides, and which keys have gone. A marker may tell of those no
// longer, so all are looked for. The first time it tells that all has been read.
func (w *watcher) complete(ctx context.Context) error {
	if err := w.catchUp(ctx, askTimeout); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	info, err := w.b.stream.Info(ctx, jetstream.WithSubjectFilter(w.pattern))
	if err != nil {
		return err
	}
	for key, known := range w.known {
		if _, there := info.State.Subjects[w.b.subject+encodeKey(key)]; !there && known <= info.State.LastSeq {
			w.tell(Entry{Key: key, Revision: known + 1, Deleted: true})
		}
	}
	w.whole = true
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
