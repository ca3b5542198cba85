package cluster

import (
	"context"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestAWatchThatBeginsAnew reads from a node that may be behind: what is missing
// there has not gone, unless the bucket says so.
func TestAWatchThatBeginsAnew(t *testing.T) {
	b := bucket(t, openNATS(t, t.TempDir()), BucketOptions{}).(*natsBucket)
	there, gone := put(t, b, "there", "1", 0), put(t, b, "gone", "1", 0)
	if err := b.Delete(t.Context(), "gone", Any); err != nil {
		t.Fatal(err)
	}
	changed := put(t, b, "changed", "1", 0)
	put(t, b, "changed", "2", changed)
	var told []string
	w := &watcher{b: b, pattern: b.subject + ">", ready: true, known: map[string]uint64{"there": there, "gone": gone, "changed": changed}, to: func(e Entry) {
		if e.Deleted {
			told = append(told, "-"+e.Key)
			return
		}
		told = append(told, e.Key+"="+string(e.Value))
	}}
	if err := w.complete(context.Background(), map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	if !slices.Equal(told, []string{"-gone", "changed=2"}) {
		t.Errorf("told %v", told)
	}
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
	told := make(chan string, 10)
	w := &watcher{b: b, pattern: b.subject + ">", ready: true, known: make(map[string]uint64), to: func(e Entry) {
		if e.Deleted {
			told <- "-" + e.Key
			return
		}
		told <- e.Key + "=" + string(e.Value)
	}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.read(ctx, sub, nil) }()
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
	expect(t, told, "gone=1", "stays=1")
	if err := b.Delete(t.Context(), "gone", gone); err != nil {
		t.Fatal(err)
	}
	changed := put(t, b, "stays", "2", stays)
	heartbeat()
	expect(t, told, "-gone", "stays=2")

	cancel()
	<-done
	for _, late := range []Entry{{Key: "gone", Value: []byte("1"), Revision: gone}, {Key: "stays", Value: []byte("2"), Revision: changed}} {
		w.take(late, nil)
	}
	put(t, b, "last", "1", 0)
	w.catchUp(t.Context(), nil)
	expect(t, told, "last=1")
}
