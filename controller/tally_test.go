package controller

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

func TestStatsCount(t *testing.T) {
	n := run(t, nil)
	release := make(chan struct{})
	defer close(release)
	n.join("t", "p", func(o *exchange.ConnectorOptions) {
		o.Channel.Handlers.Handle("STUCK", func(context.Context, *exchange.Request) (any, error) {
			<-release
			return nil, nil
		})
	})
	n.until("elected", func() bool { return n.told(PrimaryElected) == 1 })
	for typ, patience := range map[string]time.Duration{
		"ECHO": patience, "FAIL": patience, "NEVER-HEARD-OF": patience, "STUCK": 20 * time.Millisecond,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, _ = n.Send(ctx, "t", command(t, typ, nil), Choice{}) // counted
		cancel()
	}
	s := n.Stats()
	for outcome, want := range map[Outcome]uint64{
		OutcomeSucceeded: 1, OutcomeError: 1, OutcomeUnhandled: 1, OutcomeTimeout: 1,
		OutcomeCancelled: 0, OutcomeRefused: 0, OutcomeLost: 0,
	} {
		if got, ok := s.Commands[outcome]; !ok || got != want {
			t.Errorf("%s: %d commands, want %d", outcome, got, want)
		}
	}
	if s.Nodes != 1 || s.Targets != 1 || s.Channels != 1 || s.LocalChannels != 1 || s.Events[PrimaryElected] != 1 || s.Events[ChannelOpened] != 1 {
		t.Errorf("%+v", s)
	}
	for err, want := range map[error]Outcome{
		exchange.ErrBusy: OutcomeRefused, exchange.ErrTooLarge: OutcomeRefused, exchange.ErrClosed: OutcomeLost, context.Canceled: OutcomeCancelled,
	} {
		if got := outcomeOf(exchange.Reply{}, err); got != want {
			t.Errorf("%v counts as %s, want %s", err, got, want)
		}
	}
}

// failing is an engine that takes no batches any more.
type failing struct {
	cluster.Engine
	broken atomic.Bool
}

var errDisk = errors.New("no space left on device")

func (f *failing) Bucket(ctx context.Context, name string, o cluster.BucketOptions) (cluster.Bucket, error) {
	b, err := f.Engine.Bucket(ctx, name, o)
	if name == DefaultIdentifier+"-batches" {
		b = failingBucket{b, f}
	}
	return b, err
}

type failingBucket struct {
	cluster.Bucket
	f *failing
}

func (b failingBucket) Put(ctx context.Context, key string, value []byte, after uint64) (uint64, error) {
	if b.f.broken.Load() {
		return 0, errDisk
	}
	return b.Bucket.Put(ctx, key, value, after)
}

func (b failingBucket) Delete(ctx context.Context, key string, after uint64) error {
	if b.f.broken.Load() {
		return errDisk
	}
	return b.Bucket.Delete(ctx, key, after)
}

// TestManagementTellsThatTheEngineFails: 500 with the reason, nothing is taken,
// and what was to be seen is still to be seen.
func TestManagementTellsThatTheEngineFails(t *testing.T) {
	engine := &failing{Engine: cluster.NewMemory().Engine("one")}
	n := run(t, func(o *Options) { o.Engine = engine })
	h := n.Management()
	b := batchOf(t, "gone", "ECHO", 1)
	b.ID = "waits"
	n.execute(b)
	n.join("t", "p", nil)
	b = batchOf(t, "t", "FAIL", 1)
	b.ID, b.MaxRetry = "failed", NoRetry
	n.execute(b)
	n.wait("failed")
	engine.broken.Store(true)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "targets/gone/batchs", `{"id":"new","commands":[{"type":"ECHO"}]}`},
		{"DELETE", "batchs/waits", ``},
		{"POST", "batchs/failed/retry", ``},
	} {
		a := ask(t, h, c.method, "/exchange/"+c.path, c.body)
		body, _ := a.body.(map[string]any)
		text, _ := body["message"].(string)
		if a.status != http.StatusInternalServerError || body["code"] != 500.0 || len(body) != 2 || text == "" {
			t.Errorf("%s %s: %d %v", c.method, c.path, a.status, a.body)
		}
	}
	if a := ask(t, h, "GET", "/exchange/batchs/new", ""); a.status != http.StatusNotFound {
		t.Errorf("a batch that was not taken: %d", a.status)
	}
	if a := ask(t, h, "GET", "/exchange/batchs/waits", ""); a.status != http.StatusOK {
		t.Errorf("a batch that was taken before: %d", a.status)
	}
	engine.broken.Store(false)
	if a := ask(t, h, "DELETE", "/exchange/batchs/waits", ""); a.status != http.StatusOK {
		t.Errorf("once the engine is well again: %+v", a)
	}
}
