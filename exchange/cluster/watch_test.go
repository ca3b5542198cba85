package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// following is a watch of a bucket, without what it follows, and what it tells.
func following(b *natsBucket, known map[string]uint64, upTo uint64) (w *watcher, told chan string) {
	told = make(chan string, 10)
	return &watcher{b: b, pattern: b.subject + ">", known: known, upTo: upTo, to: asText(told)}, told
}

// TestAWatchThatBeginsAnew reads from a node that may be behind: what is missing
// there has not gone, unless the leader says so; nor is all there is there.
func TestAWatchThatBeginsAnew(t *testing.T) {
	b := bucket(t, openNATS(t, t.TempDir()), BucketOptions{}).(*natsBucket)
	there := put(t, b, "there", "1", 0)
	changed := put(t, b, "changed", "1", 0)
	put(t, b, "changed", "2", changed)
	put(t, b, "new", "1", 0)
	// That one was deleted can no longer be seen, as its marker has expired; another
	// was written after the leader was asked.
	w, told := following(b, map[string]uint64{"there": there, "gone": there, "changed": changed, "newer": changed + 9}, changed)
	if err := w.complete(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, told, "changed=2", "new=1", "-gone", "ready")
}

// TestAWatchOfACopyThatLagsBehind follows a copy that sends nothing but heartbeats,
// and, when it has caught up, what has been told long since.
func TestAWatchOfACopyThatLagsBehind(t *testing.T) {
	e := openNATS(t, t.TempDir())
	b := bucket(t, e, BucketOptions{}).(*natsBucket)
	copied := nats.NewInbox()
	sub, err := e.conn.SubscribeSync(copied)
	if err != nil {
		t.Fatal(err)
	}
	w, told := following(b, make(map[string]uint64), 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.read(ctx, sub) }()
	defer func() { cancel(); <-done }()
	heartbeat := func() {
		t.Helper()
		if err := e.conn.PublishMsg(&nats.Msg{Subject: copied, Header: nats.Header{"Status": {"100"}}}); err != nil {
			t.Fatal(err)
		}
	}

	gone := put(t, b, "gone", "1", 0)
	stays := put(t, b, "stays", "1", 0)
	heartbeat()
	expect(t, told, "gone=1", "stays=1", "ready")
	if err := b.Delete(t.Context(), "gone", gone); err != nil {
		t.Fatal(err)
	}
	changed := put(t, b, "stays", "2", stays)
	heartbeat()
	expect(t, told, "-gone", "stays=2")

	cancel()
	<-done
	w.take(Entry{Key: "gone", Value: []byte("1"), Revision: gone})
	w.take(Entry{Key: "stays", Value: []byte("2"), Revision: changed})
	put(t, b, "last", "1", 0)
	w.askNew(t.Context())
	expect(t, told, "last=1")
}

// TestAWatchThatWasCutOff hears of a copy that nobody else has reached for longer
// than the leader remembers what was deleted, or of one whose leader was none when
// it was asked.
func TestAWatchThatWasCutOff(t *testing.T) {
	b := bucket(t, openNATS(t, t.TempDir()), BucketOptions{}).(*natsBucket)
	revision := put(t, b, "there", "1", 0)
	now := time.Now().Round(0)
	for name, c := range map[string]struct {
		asked, looked time.Time
		looks         int
	}{
		"for long":                {now.Add(-markerTTL), now.Add(-markerTTL), 0},
		"and its clock was set":   {now.Add(markerTTL), now.Add(-markerTTL), 0},
		"and looked not long ago": {now.Add(-markerTTL), now, 1},
		"and asked a stale one":   {now, now.Add(-markerTTL), 1},
	} {
		w, told := following(b, map[string]uint64{"there": revision, "gone": revision}, revision)
		w.ready, w.asked, w.looked, w.looks = true, c.asked, c.looked, c.looks
		heartbeat := &nats.Msg{Header: nats.Header{"Status": {"100"}}}
		if err := w.control(t.Context(), heartbeat, 0); err != nil {
			t.Fatal(name, err)
		}
		expect(t, told, "-gone")
		if w.upTo = revision + 1; w.complete(t.Context()) == nil {
			t.Errorf("%s: it believes a leader that is behind", name)
		}
	}
}
