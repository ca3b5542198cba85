package cluster

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// secured gives each node of a cluster the certificate of a server.
func secured(t *testing.T, all []NATSOptions) []NATSOptions {
	t.Helper()
	ours := newAuthority(t)
	for i := range all {
		all[i].Cluster.TLS = ours.node(t, x509.ExtKeyUsageServerAuth, all[i].Cluster.Listen)
	}
	return all
}

// reopen starts a node of a cluster anew.
func reopen(t *testing.T, o NATSOptions) *NATS {
	t.Helper()
	e, err := OpenNATS(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// taken writes a key as soon as the engine takes it, and returns its revision and
// how long that took. One that was refused may have been taken all the same.
func taken(ctx context.Context, t *testing.T, b Bucket, key, value string) (uint64, time.Duration) {
	t.Helper()
	for begun := time.Now(); ; {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		revision, err := b.Put(short, key, []byte(value), Any)
		cancel()
		switch {
		case err == nil:
			return revision, time.Since(begun)
		case !errors.Is(err, ErrUnavailable) || ctx.Err() != nil:
			t.Fatalf("Put %s: %v", key, err)
		}
	}
}

// refused waits until the engine refuses a write as it has no majority; what was
// on its way when that went is taken or not.
func refused(ctx context.Context, t *testing.T, b Bucket) {
	t.Helper()
	for ctx.Err() == nil {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err := b.Put(short, "never", nil, 1)
		cancel()
		if errors.Is(err, ErrUnavailable) {
			return
		}
		if err == nil {
			t.Fatal("taken without a majority")
		}
	}
	t.Fatal("not refused in time")
}

// holds checks what a bucket has, once its leader is chosen.
func holds(ctx context.Context, t *testing.T, b Bucket, want map[string]uint64) {
	t.Helper()
	for key, revision := range want {
		if got, err := eventually(ctx, b, key); err != nil || got.Revision != revision {
			t.Errorf("%s = %+v, %v; want revision %d", key, got, err, revision)
		}
	}
}

// TestFiveNodes: any two of five may fail, be they the ones that led; with three
// away nothing is taken, and what was taken is there when they are back.
func TestFiveNodes(t *testing.T) {
	all := secured(t, members(5, t.TempDir()))
	for i := range all {
		all[i].Cluster.Replicas = 5
	}
	engines := openAll(t, all)
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	acknowledged := make(map[string]uint64)
	for i, e := range engines {
		key := fmt.Sprint("at-", i)
		acknowledged[key] = put(t, durable(t, e), key, "1", 0)
	}
	info, err := engines[0].js.Stream(ctx, "KV_durable")
	if err != nil {
		t.Fatal(err)
	}
	if n := info.CachedInfo().Config.Replicas; n != 5 {
		t.Errorf("it is on %d nodes, want all 5", n)
	}

	leader := slices.IndexFunc(all, func(o NATSOptions) bool { return o.Node == info.CachedInfo().Cluster.Leader })
	rest := []int{0, 1, 2, 3, 4}
	rest = slices.DeleteFunc(rest, func(i int) bool { return i == leader })
	for _, i := range []int{leader, rest[0]} {
		engines[i].Close()
	}
	var pause time.Duration
	acknowledged["two-away"], pause = taken(ctx, t, durable(t, engines[rest[1]]), "two-away", "2")
	t.Logf("with two of five away, its leader one of them, a write was taken after %v", pause.Round(time.Millisecond))
	holds(ctx, t, durable(t, engines[rest[2]]), acknowledged)

	survivor := durable(t, engines[rest[3]])
	engines[rest[1]].Close()
	refused(ctx, t, survivor)

	for _, i := range []int{leader, rest[0], rest[1]} {
		engines[i] = reopen(t, all[i])
	}
	for _, e := range engines {
		if err := wait(e); err != nil {
			t.Fatal(err)
		}
		holds(ctx, t, durable(t, e), acknowledged)
	}
	taken(ctx, t, survivor, "after", "3")
}

// TestFromThreeToFive: nodes that come later get what is there, all of it.
func TestFromThreeToFive(t *testing.T) {
	all := secured(t, members(5, t.TempDir()))
	five := all[0].Cluster.Routes
	for i := range 3 {
		all[i].Cluster.Routes = five[:3]
	}
	grow := func(i int) { all[i].Cluster.Routes, all[i].Cluster.Replicas = five, 5 }
	engines := openAll(t, all[:3])
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	acknowledged := map[string]uint64{"first": put(t, durable(t, engines[0]), "first", "1", 0)}
	for i := range 3 {
		engines[i].Close()
		grow(i)
		engines[i] = reopen(t, all[i])
		if err := wait(engines[i]); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint("restarted-", i)
		acknowledged[key], _ = taken(ctx, t, durable(t, engines[i]), key, "2")
	}
	for i := 3; i < 5; i++ {
		grow(i)
		e := reopen(t, all[i])
		if err := wait(e); err != nil {
			t.Fatal(err)
		}
		holds(ctx, t, durable(t, e), acknowledged)
		engines = append(engines, e)
	}
	for complete := false; !complete; { // the new ones are filled while it goes on
		s, err := engines[4].stream(ctx, durableStream)
		if ctx.Err() != nil {
			t.Fatalf("it is not on all five: %v", err)
		}
		complete = err == nil && onAll(s.CachedInfo(), 5)
	}
	engines[0].Close()
	engines[1].Close()
	acknowledged["two-away"], _ = taken(ctx, t, durable(t, engines[2]), "two-away", "3")
	holds(ctx, t, durable(t, engines[4]), acknowledged)
}

// durableStream is what durable opens.
var durableStream = jetstream.StreamConfig{Name: "KV_durable"}

// onAll tells whether a stream is on n nodes, and all of them have all of it.
func onAll(info *jetstream.StreamInfo, n int) bool {
	if info.Config.Replicas != n || info.Cluster == nil || len(info.Cluster.Replicas) != n-1 {
		return false
	}
	return !slices.ContainsFunc(info.Cluster.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline })
}
