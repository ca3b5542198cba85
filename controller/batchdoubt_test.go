package controller

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// leavers are connectors of one target of which the first that gets the command
// LEAVE does not answer: it has to be cut off in the middle of it.
type leavers struct {
	n  *node // has the connectors
	by *node // carries the batches out

	mu    sync.Mutex // guards all below
	calls []string   // who was sent LEAVE
	open  map[string]exchange.Channel
	away  map[string]bool
}

var errAway = errors.New("it is away")

func (l *leavers) join(id string, answers bool) {
	l.n.join("t", id, func(o *exchange.ConnectorOptions) {
		dial := o.Dial
		o.Dial = func(ctx context.Context, endpoint string) (exchange.Channel, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.away[id] {
				return nil, errAway
			}
			ch, err := dial(ctx, endpoint)
			l.open[id] = ch
			return ch, err
		}
		o.Channel.Handlers.Handle("LEAVE", func(ctx context.Context, _ *exchange.Request) (any, error) {
			l.mu.Lock()
			l.calls = append(l.calls, id)
			l.mu.Unlock()
			if answers || len(l.called()) > 1 {
				return nil, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
}

// leave cuts a connector's channel, and keeps it away until it comes back.
func (l *leavers) leave(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away[id] = true
	_ = l.open[id].Close()
}

func (l *leavers) comeBack(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away[id] = false
}

func newLeavers(t *testing.T, hop bool) *leavers {
	l := &leavers{open: map[string]exchange.Channel{}, away: map[string]bool{}}
	if hop {
		fleet := cluster.NewMemory()
		l.by = run(t, func(o *Options) { o.Engine = fleet.Engine("by") })
		l.n = run(t, func(o *Options) { o.Engine, o.Batches.Disabled = fleet.Engine("with"), true })
		return l
	}
	l.n = run(t, nil)
	l.by = l.n
	return l
}

// stop ends the controllers.
func (l *leavers) stop() {
	l.n.stop()
	l.by.stop()
}

// everyWay runs a test with connectors of the controller that carries the batches
// out, and with those of another one.
func everyWay(t *testing.T, test func(t *testing.T, l *leavers)) {
	for name, hop := range map[string]bool{"on the same controller": false, "by way of another controller": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeavers(t, hop)
				test(t, l)
				l.stop()
			})
		})
	}
}

func (l *leavers) called() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.calls...)
}

// A command that a connector may have carried out is sent to no other one, as
// long as it may come back.
func TestBatchWaitsForTheConnectorThatMayHaveActed(t *testing.T) {
	everyWay(t, func(t *testing.T, l *leavers) {
		for _, id := range []string{"a", "b", "c"} {
			l.join(id, false)
		}
		id := l.by.execute(batchOf(t, "t", "LEAVE", 1)).ID
		synctest.Wait()
		one := l.called()[0]
		l.leave(one)
		time.Sleep(time.Minute)
		b, err := l.by.Batches().Get(id)
		if err != nil || b.Status != BatchPending || !strings.Contains(b.ErrorDetails, one) || len(l.called()) != 1 {
			t.Errorf("without %s: %+v, %v; sent to %v", one, b, err, l.called())
		}
		l.comeBack(one)
		if b := l.by.wait(id); b.Status != BatchSucceeded || strings.Join(l.called(), "") != one+one {
			t.Errorf("%+v; sent to %v", b, l.called())
		}
	})
}

// A connector that does not come back is not waited for without end.
func TestBatchDoesNotWaitForEver(t *testing.T) {
	everyWay(t, func(t *testing.T, l *leavers) {
		l.join("a", false)
		id := l.by.execute(batchOf(t, "t", "LEAVE", 1)).ID
		synctest.Wait()
		l.leave("a")
		l.join("b", true)
		b := l.by.wait(id)
		if b.Status != BatchError || !strings.Contains(b.ErrorDetails, "may have carried the command out") || len(l.called()) != 1 {
			t.Errorf("%+v; sent to %v", b, l.called())
		}
		if _, err := l.by.Batches().Retry(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if b := l.by.wait(id); b.Status != BatchSucceeded || strings.Join(l.called(), "") != "ab" {
			t.Errorf("after Retry: %+v; sent to %v", b, l.called())
		}
	})
}

// Where a connector cannot say whether a command had its effect, no other one is
// asked: the batch ends, and an operator decides.
func TestBatchEndsWhereTheOutcomeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		calls := make(chan string, 10)
		for _, id := range []string{"a", "b", "c"} {
			n.join("t", id, func(o *exchange.ConnectorOptions) {
				o.Channel.Handlers.Handle("FORGOTTEN", func(_ context.Context, req *exchange.Request) (any, error) {
					calls <- id
					req.ReplyType = exchange.TypeOutcomeUnknown
					return nil, errors.New("it was interrupted")
				})
			})
		}
		b := n.wait(n.execute(batchOf(t, "t", "FORGOTTEN", 2)).ID)
		if b.Status != BatchError || b.Retry != nil || !strings.Contains(b.ErrorDetails, "it was interrupted") || len(calls) != 1 {
			t.Errorf("%+v; sent %d times", b, len(calls))
		}
		if b.Commands[0].Reply == nil || b.Commands[1].Reply != nil {
			t.Errorf("%+v", b.Commands)
		}
		n.stop()
	})
}

// A command that an earlier pass has sent may be under way yet when the next one
// sends it: that is no failure of it.
func TestBatchWaitsForItsOwnCommand(t *testing.T) {
	everyWay(t, func(t *testing.T, l *leavers) {
		begun, release := make(chan struct{}, 2), make(chan struct{})
		l.n.join("t", "a", func(o *exchange.ConnectorOptions) {
			o.Channel.Handlers.Handle("SLOW", func(context.Context, *exchange.Request) (any, error) {
				begun <- struct{}{}
				<-release
				return nil, nil
			})
		})
		b := batchOf(t, "t", "SLOW", 1)
		var sent sync.WaitGroup
		sent.Go(func() {
			if _, err := l.n.Send(t.Context(), "t", b.Commands[0].Command, Choice{}); err != nil {
				t.Error(err)
			}
		})
		<-begun
		id := l.by.execute(b).ID
		time.Sleep(10*time.Second + lostPause/2) // between two passes
		if b, err := l.by.Batches().Get(id); err != nil || b.Status != BatchPending || b.Retry != nil {
			t.Errorf("while it is under way: %+v, %v", b, err)
		}
		close(release)
		sent.Wait()
		if b := l.by.wait(id); b.Status != BatchSucceeded || b.Retry != nil {
			t.Errorf("%+v", b)
		}
	})
}
