package controller

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// gated is an engine whose writes to one bucket can be held up: what a pause of
// the process does to its next step.
type gated struct {
	cluster.Engine
	bucket string
	gate   atomic.Pointer[chan struct{}] // writes wait until it is closed
}

func (g *gated) shut() (open func()) {
	c := make(chan struct{})
	g.gate.Store(&c)
	return func() { close(c) }
}

func (g *gated) Bucket(ctx context.Context, name string, o cluster.BucketOptions) (cluster.Bucket, error) {
	b, err := g.Engine.Bucket(ctx, name, o)
	if name == DefaultIdentifier+"-"+g.bucket {
		b = gatedBucket{b, g}
	}
	return b, err
}

type gatedBucket struct {
	cluster.Bucket
	g *gated
}

func (b gatedBucket) wait() {
	if c := b.g.gate.Load(); c != nil {
		<-*c
	}
}

func (b gatedBucket) Put(ctx context.Context, key string, value []byte, after uint64) (uint64, error) {
	b.wait()
	return b.Bucket.Put(ctx, key, value, after)
}

func (b gatedBucket) Delete(ctx context.Context, key string, after uint64) error {
	b.wait()
	return b.Bucket.Delete(ctx, key, after)
}

// expireLease is what the engine does when a node was paused for longer than its
// lease.
func (n *node) expireLease(t *testing.T) {
	t.Helper()
	if err := n.store.nodes.(gatedBucket).Bucket.Delete(t.Context(), n.Controller.node, cluster.Any); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// active counts the channels of a target that commands may be sent to, and the
// primaries among them.
func (n *node) active(target string) (channels, primaries int) {
	for _, ch := range n.Target(target) {
		if ch.Active {
			channels++
		}
		if ch.Primary {
			primaries++
		}
	}
	return channels, primaries
}

// seen checks how many active channels of a target a controller sees.
func (n *node) seen(t *testing.T, target string, want int) {
	t.Helper()
	if channels, primaries := n.active(target); channels != want || primaries != 1 {
		t.Errorf("%s sees %+v, want %d channels and one primary", n.Controller.node, n.Target(target), want)
	}
}

// TestAControllerThatWasPaused loses its lease and its channels to the others,
// and makes them known again.
func TestAControllerThatWasPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := cluster.NewMemory()
		paused := &gated{Engine: fleet.Engine("a"), bucket: "nodes"}
		a := run(t, func(o *Options) { o.Engine = paused })
		b := run(t, func(o *Options) { o.Engine = fleet.Engine("b") })
		p := a.join("t", "p", nil)
		synctest.Wait()
		term := p.term()
		for _, others := range []int{0, 1} {
			if others == 1 {
				b.join("t", "q", nil)
				synctest.Wait()
			}
			resume := paused.shut()
			a.expireLease(t)
			if got, _ := b.active("t"); got != others {
				t.Errorf("while a is paused b sees %d channels, want %d", got, others)
			}
			resume()
			synctest.Wait()
			a.seen(t, "t", 1+others)
			b.seen(t, "t", 1+others)
			if p.term() <= term {
				t.Errorf("p was told of term %d, and then of %d", term, p.term())
			}
			term = p.term()
		}
		if p.isPrimary() {
			t.Error("p took the primary back from q, which is there")
		}
		a.stop()
		b.stop()
	})
}

// TestLateSweep: what a node announces anew is not taken out by another one that
// is late to take out what had been there.
func TestLateSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := cluster.NewMemory()
		paused := &gated{Engine: fleet.Engine("a"), bucket: "nodes"}
		a := run(t, func(o *Options) { o.Engine = paused })
		late := &gated{Engine: fleet.Engine("b"), bucket: "channels"}
		b := run(t, func(o *Options) { o.Engine = late })
		a.join("t", "p", nil)
		synctest.Wait()
		resume, sweep := paused.shut(), late.shut()
		a.expireLease(t)
		resume()
		synctest.Wait()
		sweep()
		synctest.Wait()
		a.seen(t, "t", 1)
		b.seen(t, "t", 1)
		a.stop()
		b.stop()
	})
}

// blind is an engine whose watch of one bucket can be made to miss what happens.
type blind struct {
	cluster.Engine
	bucket string
	shut   atomic.Bool
}

func (e *blind) Bucket(ctx context.Context, name string, o cluster.BucketOptions) (cluster.Bucket, error) {
	b, err := e.Engine.Bucket(ctx, name, o)
	if name == DefaultIdentifier+"-"+e.bucket {
		b = blindBucket{b, e}
	}
	return b, err
}

type blindBucket struct {
	cluster.Bucket
	e *blind
}

func (b blindBucket) Watch(ctx context.Context, prefix string, f func(cluster.Entry)) error {
	return b.Bucket.Watch(ctx, prefix, func(e cluster.Entry) {
		if !b.e.shut.Load() {
			f(e)
		}
	})
}

// TestAChannelThatWasTakenOutUnseen: a controller was held for gone, made its
// channels known again, and missed that one of them was taken out once more.
func TestAChannelThatWasTakenOutUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := cluster.NewMemory()
		hold := &gated{Engine: fleet.Engine("a"), bucket: "channels"}
		engine := &blind{Engine: hold, bucket: "channels"}
		a := run(t, func(o *Options) { o.Engine = engine })
		b := run(t, func(o *Options) { o.Engine = fleet.Engine("b") })
		a.join("t", "p", nil)
		synctest.Wait()
		b.seen(t, "t", 1)
		key := channelKey("a", a.Target("t")[0].ID)
		takeOut := func() {
			if err := b.store.channels.Delete(t.Context(), key, cluster.Any); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		open := hold.shut()
		takeOut() // which it sees, and is about to make it known again
		engine.shut.Store(true)
		open()
		synctest.Wait()
		takeOut()
		engine.shut.Store(false)
		time.Sleep(DefaultLease)
		synctest.Wait()
		b.seen(t, "t", 1)
		a.stop()
		b.stop()
	})
}
