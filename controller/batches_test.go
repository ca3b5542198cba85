package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// batchOf makes a batch of commands of a type with the payloads 1 to n.
func batchOf(t testing.TB, target, typ string, n int) Batch {
	b := Batch{Target: target, Key: "key of " + target}
	for i := range n {
		b.Commands = append(b.Commands, BatchCommand{Command: command(t, typ, i+1)})
	}
	return b
}

func numbers(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(i+1))
	}
	return all
}

func (n *node) execute(b Batch) Batch {
	n.t.Helper()
	taken, err := n.Batches().Execute(n.t.Context(), b)
	if err != nil {
		n.t.Fatal(err)
	}
	return taken
}

func (n *node) wait(id string) Batch {
	n.t.Helper()
	b, err := n.Batches().Wait(n.t.Context(), id)
	if err != nil {
		n.t.Fatalf("Wait = %+v, %v", b, err)
	}
	return b
}

// flaky answers TRY with errors so many times before it succeeds.
type flaky struct {
	mu       sync.Mutex
	failures int
	calls    []string // "payload id" of each
}

func (f *flaky) register(m *exchange.Mux) {
	m.Replies = nil // every command that is sent is seen
	m.Handle("TRY", func(_ context.Context, req *exchange.Request) (any, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, string(req.Payload)+" "+req.ID)
		if string(req.Payload) == "2" && f.failures > 0 {
			f.failures--
			return nil, errors.New("not yet")
		}
		return nil, nil
	})
}

func (f *flaky) joined(n *node) *peer {
	return n.join("t", "flaky", func(o *exchange.ConnectorOptions) { f.register(o.Channel.Handlers) })
}

func TestBatchSucceeds(t *testing.T) {
	n := run(t, nil)
	p := n.join("t", "p", nil)
	taken := n.execute(batchOf(t, "t", "EFFECT", 10))
	b := n.wait(taken.ID)
	if b.Status != BatchSucceeded || b.Done() != 10 || b.Retry != nil || b.MaxRetry != DefaultMaxRetry {
		t.Errorf("%+v", b)
	}
	if got := p.effects(); !slices.Equal(got, numbers(10)) {
		t.Errorf("effects %v", got)
	}
	if s := n.Stats(); s.Nodes != 1 || s.Targets != 1 || s.Channels != 1 || s.LocalChannels != 1 || s.InFlight != 0 || s.Batches[BatchSucceeded] != 1 {
		t.Errorf("Stats = %+v", s)
	}
	if r := b.Commands[4].Reply; r == nil || string(r.Payload) != "5" {
		t.Errorf("the fifth reply: %+v", r)
	}
}

func TestBatchIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		f := &flaky{failures: 2}
		f.joined(n)
		begun := time.Now()
		taken := n.execute(batchOf(t, "t", "TRY", 3))
		synctest.Wait()
		b, err := n.Batches().Get(taken.ID)
		if err != nil || b.Status != BatchPending || *b.Retry != 0 || b.LastRetryAt == nil || b.Commands[1].ErrorDetails != "not yet" || b.Commands[2].Status != exchange.Pending {
			t.Errorf("after the first pass: %+v, %v", b, err)
		}
		b = n.wait(taken.ID)
		if b.Status != BatchSucceeded || *b.Retry != 1 || b.ErrorDetails != "" {
			t.Errorf("%+v", b)
		}
		if waited := time.Since(begun); waited != 3*DefaultRetryInterval {
			t.Errorf("two retries after %v", waited)
		}
		var want []string
		for _, i := range []int{0, 1, 1, 1, 2} { // what succeeded is skipped, and each keeps its ID
			want = append(want, fmt.Sprint(i+1, " ", taken.Commands[i].Command.ID))
		}
		if !slices.Equal(f.calls, want) {
			t.Errorf("calls %v\nwant %v", f.calls, want)
		}
		n.stop()
	})
}

func TestBatchFailsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		f := &flaky{failures: 7}
		f.joined(n)
		b := n.wait(n.execute(batchOf(t, "t", "TRY", 3)).ID)
		if b.Status != BatchError || *b.Retry != DefaultMaxRetry || len(f.calls) != 7 {
			t.Errorf("%+v after %d calls", b, len(f.calls))
		}
		if _, err := n.Batches().Retry(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		if b = n.wait(b.ID); b.Status != BatchSucceeded {
			t.Errorf("after Retry: %+v", b)
		}
		if _, err := n.Batches().Retry(t.Context(), b.ID); !errors.Is(err, ErrBatchState) {
			t.Errorf("Retry of a batch that succeeded: %v", err)
		}
		once := batchOf(t, "t", "FAIL", 1)
		once.MaxRetry = NoRetry
		if b := n.wait(n.execute(once).ID); b.Status != BatchError || *b.Retry != 0 {
			t.Errorf("without retries: %+v", b)
		}
		n.stop()
	})
}

func TestBatchWaitsForItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		id := n.execute(batchOf(t, "t", "EFFECT", 3)).ID
		time.Sleep(time.Hour)
		if b, err := n.Batches().Get(id); err != nil || b.Status != BatchCreated {
			t.Errorf("without a target: %+v, %v", b, err)
		}
		n.join("t", "p", nil)
		begun := time.Now()
		if b := n.wait(id); b.Status != BatchSucceeded || time.Since(begun) != 0 {
			t.Errorf("%+v after %v", b, time.Since(begun))
		}
		n.stop()
	})
}

// TestBatchSurvivesTheLossOfItsTarget takes the target away in the middle of a
// command, more often than there are retries.
func TestBatchSurvivesTheLossOfItsTarget(t *testing.T) {
	n := run(t, nil)
	hung := make(chan struct{}, 1)
	var mu sync.Mutex
	var current exchange.Channel
	losses := 5
	n.dial("t", "p", func(o *exchange.ConnectorOptions) {
		o.Dial = func(context.Context, string) (exchange.Channel, error) {
			mu.Lock()
			defer mu.Unlock()
			var err error
			current, err = n.Embedded(Identity{})
			return current, err
		}
		o.AutoReconnect = true // as the channel is cut from this side
		o.Channel.Handlers.Handle("LOSE", func(ctx context.Context, _ *exchange.Request) (any, error) {
			mu.Lock()
			losses--
			last := losses < 0
			mu.Unlock()
			if last {
				return nil, nil
			}
			hung <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		})
	})
	b := batchOf(t, "t", "LOSE", 1)
	b.MaxRetry = 1
	id := n.execute(b).ID
	for range 5 {
		<-hung
		mu.Lock()
		current.Close()
		mu.Unlock()
	}
	if b := n.wait(id); b.Status != BatchSucceeded || b.Retry != nil {
		t.Errorf("%+v", b)
	}
}

func TestBatchesOfOneTargetDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		var ids []string
		for range 5 {
			ids = append(ids, n.execute(batchOf(t, "t", "SLOW", 5)).ID)
		}
		var mu sync.Mutex
		var got, want []string
		n.join("t", "p", func(o *exchange.ConnectorOptions) {
			o.Channel.Handlers.Handle("SLOW", func(_ context.Context, req *exchange.Request) (any, error) {
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				got = append(got, string(req.Payload))
				return nil, nil
			})
		})
		for _, id := range ids {
			n.wait(id)
			want = append(want, numbers(5)...)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(got, want) {
			t.Errorf("effects %v", got)
		}
		n.stop()
	})
}

func TestBatchIsCancelled(t *testing.T) {
	n := run(t, nil)
	waiting := n.execute(batchOf(t, "t", "HANG", 2)).ID
	if b, err := n.Batches().Cancel(t.Context(), waiting); err != nil || b.Status != BatchError || b.ErrorDetails != "cancelled" {
		t.Errorf("before its first pass: %+v, %v", b, err)
	}
	begun, cancelled := make(chan struct{}), make(chan struct{})
	n.join("t", "p", func(o *exchange.ConnectorOptions) {
		o.Channel.Handlers.Handle("WORK", func(ctx context.Context, _ *exchange.Request) (any, error) {
			close(begun)
			<-ctx.Done()
			close(cancelled)
			return nil, ctx.Err()
		})
	})
	running := n.execute(batchOf(t, "t", "WORK", 2)).ID
	<-begun
	if b, err := n.Batches().Get(running); err != nil || b.Status != BatchInProgress || b.Commands[0].Status != exchange.InProgress {
		t.Errorf("while it runs: %+v, %v", b, err)
	}
	if b, err := n.Batches().Cancel(t.Context(), running); err != nil || b.Status != BatchError {
		t.Errorf("in the middle: %+v, %v", b, err)
	}
	select {
	case <-cancelled: // the other side was told
	case <-time.After(patience):
		t.Error("the handler was not cancelled")
	}
	if b, err := n.Batches().Cancel(t.Context(), running); err != nil || b.Status != BatchError {
		t.Errorf("again: %+v, %v", b, err)
	}
	if _, err := n.Batches().Cancel(t.Context(), "none"); !errors.Is(err, ErrNoBatch) {
		t.Errorf("Cancel of no batch: %v", err)
	}
}

func TestBatchObservers(t *testing.T) {
	n := run(t, nil)
	b := batchOf(t, "t", "EFFECT", 3)
	b.ID = "one"
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	progress := map[Observed][]int{}
	var mu sync.Mutex
	for _, which := range []Observed{{ID: "one"}, {Key: b.Key}, {}} {
		wg.Go(func() {
			watching, done := context.WithCancel(ctx)
			_ = n.Batches().Observe(watching, which, func(b Batch) {
				mu.Lock()
				defer mu.Unlock()
				progress[which] = append(progress[which], b.Done())
				if b.Status.Terminal() {
					done()
				}
			})
			done()
		})
	}
	other := b
	other.ID, other.Key = "other", "other"
	n.execute(b)
	n.join("t", "p", nil)
	wg.Wait()
	for _, seen := range progress {
		if !slices.IsSorted(seen) || seen[len(seen)-1] != 3 {
			t.Errorf("progress as observed: %v", progress)
		}
	}
	if len(progress) != 3 {
		t.Errorf("observed: %v", progress)
	}
}

func TestBatchesThatAreNotTaken(t *testing.T) {
	n := run(t, func(o *Options) { o.Batches.Max = 2 })
	twice := batchOf(t, "t", "EFFECT", 2)
	twice.Commands[1].Command.ID = twice.Commands[0].Command.ID
	for name, b := range map[string]Batch{
		"no target": batchOf(t, "", "EFFECT", 1), "no commands": batchOf(t, "t", "EFFECT", 0),
		"no type": batchOf(t, "t", "", 1), "one id twice": twice,
	} {
		if _, err := n.Batches().Execute(t.Context(), b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	b := batchOf(t, "t", "EFFECT", 1)
	b.ID = "one"
	n.execute(b)
	if _, err := n.Batches().Execute(t.Context(), b); !errors.Is(err, ErrBatchExists) {
		t.Errorf("the same again: %v", err)
	}
	n.execute(batchOf(t, "t", "EFFECT", 1))
	if _, err := n.Batches().Execute(t.Context(), batchOf(t, "t", "EFFECT", 1)); !errors.Is(err, ErrBatchesFull) {
		t.Errorf("one more than there is room for: %v", err)
	}
	small := run(t, func(o *Options) { o.Batches.MaxBytes = 100 })
	small.execute(batchOf(t, "t", "EFFECT", 2))
	if _, err := small.Batches().Execute(t.Context(), batchOf(t, "t", "EFFECT", 1)); !errors.Is(err, ErrBatchesFull) {
		t.Errorf("more bytes than there is room for: %v", err)
	}
	off := run(t, func(o *Options) { o.Batches.Disabled = true })
	if _, err := off.Batches().Execute(t.Context(), b); !errors.Is(err, ErrBatchesOff) {
		t.Errorf("turned off: %v", err)
	}
}

func TestOldBatchesAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, func(o *Options) { o.Batches.Keep = time.Hour })
		p := n.join("t", "p", nil)
		ended := n.execute(batchOf(t, "t", "EFFECT", 3)).ID
		n.wait(ended)
		p.stop()
		waiting := n.execute(batchOf(t, "t", "EFFECT", 3)).ID
		time.Sleep(time.Hour + 2*sweepInterval)
		if _, err := n.Batches().Get(ended); !errors.Is(err, ErrNoBatch) {
			t.Errorf("a batch that ended an hour ago: %v", err)
		}
		if _, err := n.Batches().Get(waiting); err != nil {
			t.Errorf("a batch that waits: %v", err)
		}
		if count, bytes := n.Batches().view.size(); count != 1 || bytes == 0 || bytes > 1000 {
			t.Errorf("%d batches of %d bytes are left", count, bytes)
		}
		n.stop()
	})
}

// TestAnotherControllerGoesOn runs batches on two controllers, and ends the one
// that has them all.
func TestAnotherControllerGoesOn(t *testing.T) {
	fleet := cluster.NewMemory()
	on := func(name string) *node {
		return run(t, func(o *Options) { o.Engine = fleet.Engine(name); o.Lease = time.Second })
	}
	a := on("a")
	var ids []string
	for i := range 20 {
		ids = append(ids, a.execute(batchOf(t, fmt.Sprint("t", i), "EFFECT", 3)).ID)
	}
	b := on("b")
	a.stop()
	for i, id := range ids {
		b.join(fmt.Sprint("t", i), fmt.Sprint("p", i), nil)
		if got := b.wait(id); got.Status != BatchSucceeded {
			t.Errorf("batch %d: %+v", i, got)
		}
	}
}
