package cluster

import (
	"context"
	"errors"
	"math"
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

// Times of asking the bucket's leader.
const (
	askWithin = 500 * time.Millisecond // what is new, when nothing comes
	askEach   = 50 * time.Microsecond  // more for each key, if for all of them
	// After that long without an answer deletions may have been missed, whose markers
	// expire. And a leader that was paused or cut off may not know yet that it is
	// none: so after that long all keys are looked at once more.
	askAnew = markerTTL / 2
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
	asked   time.Time         // when the leader last had nothing after it, by the wall clock
	looks   int               // how often all keys are to be looked at, since it follows something else or heard nothing
	looked  time.Time         // when they were, by the wall clock
	ready   bool
}

// looksAnew is how often all keys are looked at after a loss.
const looksAnew = 2

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
			w.askNew(ctx)
		}
		if pauseFor(ctx, rewatch) != nil {
			return nil
		}
	}
}

// Why a watch begins anew.
var (
	errLost     = errors.New("a message was lost on its way")
	errNoLeader = errors.New("the bucket has no leader, or not that one any more")
)

// follow tells of the keys until ctx ends or what it follows is lost. The bucket
// sends to this subscription, no faster than it is read.
func (w *watcher) follow(ctx context.Context) error {
	w.looks = looksAnew
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
		if w.looks == looksAnew && at.NumPending == 0 {
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
	if passed(w.asked) && w.looks < looksAnew {
		w.looks = looksAnew
	}
	if w.looks == looksAnew || w.looks > 0 && passed(w.looked) {
		return w.complete(ctx)
	}
	w.askNew(ctx)
	return nil
}

// passed tells whether a time is long ago, or the clock was set back.
func passed(at time.Time) bool {
	since := time.Since(at)
	return since < 0 || since > askAnew
}

// take takes in what comes next in the order of revisions.
func (w *watcher) take(e Entry) {
	if e.Revision > w.upTo {
		w.upTo = e.Revision
		w.tell(e)
	}
}

// askNew reads what the leader has after what is known, or some of it. While there
// is no leader there is nothing new either.
func (w *watcher) askNew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	_ = w.catchUp(ctx, math.MaxUint64) // the rest, or all, with the next heartbeat
}

// catchUp reads from the bucket's leader up to a revision.
func (w *watcher) catchUp(ctx context.Context, to uint64) error {
	for w.upTo < to {
		once, cancel := context.WithTimeout(ctx, askTimeout)
		m, err := w.b.stream.GetMsg(once, w.upTo+1, jetstream.WithGetMsgSubject(w.pattern))
		cancel()
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			w.asked = time.Now().Round(0)
			return nil
		case err != nil:
			return err
		}
		w.take(w.entry(m.Subject, m.Header, m.Data, m.Sequence))
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

// complete tells of what the copy that is followed may not know yet: what the
// leader has besides, and which keys have gone. A marker may tell of those no
// longer, so all are looked for. The first time it tells that all has been read.
func (w *watcher) complete(ctx context.Context) error {
	timed, cancel := context.WithTimeout(ctx, askTimeout+time.Duration(len(w.known))*askEach)
	info, err := w.b.stream.Info(timed, jetstream.WithSubjectFilter(w.pattern))
	cancel()
	switch {
	case err != nil:
		return err
	case info.State.LastSeq < w.upTo, info.Cluster != nil && info.Cluster.Leader == "":
		return errNoLeader
	}
	if err := w.catchUp(ctx, info.State.LastSeq); err != nil {
		return err
	}
	for key, known := range w.known {
		if _, there := info.State.Subjects[w.b.subject+encodeKey(key)]; there || known > info.State.LastSeq {
			continue
		}
		// A long list is not of one moment.
		switch _, err := w.b.Get(ctx, key); {
		case errors.Is(err, ErrNotFound):
			w.tell(Entry{Key: key, Revision: max(known+1, info.State.LastSeq), Deleted: true})
		case err != nil:
			return err
		}
	}
	w.looks, w.looked, w.asked = w.looks-1, time.Now().Round(0), time.Now().Round(0)
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
