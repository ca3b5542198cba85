package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestARequestThatComesAgain, as its answer or itself may have been lost on the
// way, is answered, but not carried out, once more.
func TestARequestThatComesAgain(t *testing.T) {
	e := openNATS(t, t.TempDir())
	var runs atomic.Int32
	begun, release := make(chan struct{}), make(chan struct{})
	stop := serve(t, e, "again", func(context.Context, []byte, func([]byte) error) ([]byte, error) {
		runs.Add(1)
		close(begun)
		<-release
		return []byte("done"), nil
	})
	reply, answers, done := e.asker.wait(4)
	defer done()
	ask := func() {
		t.Helper()
		if err := e.conn.PublishMsg(&nats.Msg{Subject: encodeKey("again"), Reply: reply}); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	<-begun
	ask()
	if m := <-answers; m.Header.Get(busyHeader) == "" {
		t.Errorf("while it is under way: %+v", m)
	}
	close(release)
	first := <-answers
	ask()
	if second := <-answers; string(first.Data) != "done" || string(second.Data) != "done" || runs.Load() != 1 {
		t.Errorf("%q, then %q, after %d runs", first.Data, second.Data, runs.Load())
	}
	stop()
	if _, err := e.Request(t.Context(), "again", nil, nil); !errors.Is(err, ErrNobody) {
		t.Errorf("nobody serves, but: %v", err)
	}
}

// TestWhoWasAskedGoes: a request that may have been seen ends when nobody can
// answer it any more.
func TestWhoWasAskedGoes(t *testing.T) {
	e := openNATS(t, t.TempDir())
	seen := make(chan struct{}, 10)
	sub, err := e.conn.Subscribe(encodeKey("silent"), func(*nats.Msg) { seen <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan error, 1)
	go func() {
		_, err := e.Request(context.Background(), "silent", nil, nil)
		asked <- err
	}()
	<-seen
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if err := <-asked; !errors.Is(err, ErrLost) {
		t.Errorf("who was asked has gone, but: %v", err)
	}
}
