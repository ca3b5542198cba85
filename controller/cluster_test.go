package controller

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/internal/loopback"
)

// fleetEngines opens the engines of a cluster of n nodes.
func fleetEngines(t testing.TB, n int) []*cluster.NATS {
	t.Helper()
	return openEngines(t, loopback.Addresses(n), t.TempDir())
}

// openEngines opens the engines of a cluster, with folders in dir.
func openEngines(t testing.TB, routes []string, dir string) (all []*cluster.NATS) {
	t.Helper()
	for i := range routes {
		e, err := cluster.OpenNATS(cluster.NATSOptions{
			Node: fmt.Sprint("c", i+1), Dir: filepath.Join(dir, fmt.Sprint("c", i+1)),
			Cluster: &cluster.Membership{Name: "test", Listen: routes[i], Routes: routes},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		all = append(all, e)
	}
	for _, e := range all {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := e.Wait(ctx, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// fleet runs n controllers in a cluster.
func fleet(t *testing.T, n int) (all []*node) {
	t.Helper()
	for _, e := range fleetEngines(t, n) {
		all = append(all, run(t, func(o *Options) { o.Engine = e }))
	}
	for _, c := range all {
		c.until("all know each other", func() bool { return len(c.registry.nodeNames()) == n })
	}
	return all
}

// settled waits until all nodes see the channels of a target, and one primary.
func settled(all []*node, target string, channels int) {
	for _, n := range all {
		n.t.Helper()
		n.until("the channels are seen, and a primary", func() bool {
			there, primaries := n.Target(target), 0
			for _, ch := range there {
				if ch.Active && ch.Primary {
					primaries++
				}
			}
			return len(there) == channels && primaries == 1
		})
	}
}

func TestThreeControllers(t *testing.T) {
	all := fleet(t, 3)
	peers := []*peer{all[0].join("t", "p0", nil), all[1].join("t", "p1", nil), all[2].join("t", "p2", nil)}
	only := all[2].join("u", "q", nil)
	settled(all, "t", 3)
	settled(all, "u", 1)
	if primaries := slices.DeleteFunc(slices.Clone(peers), func(p *peer) bool { return !p.isPrimary() }); len(primaries) > 1 {
		t.Errorf("%d peers were told that they are primary", len(primaries))
	}
	t.Run("a command through another node", func(t *testing.T) {
		all[0].echo("u", Choice{})
		all[1].echo("t", Choice{Primary: true})
		if answers, err := all[0].Broadcast(t.Context(), "t", command(t, "ECHO", 1)); err != nil || len(answers) != 3 {
			t.Errorf("%+v, %v", answers, err)
		}
		_, err := all[0].Send(t.Context(), "u", command(t, "NEVER", nil), Choice{})
		if !errors.Is(err, exchange.ErrUnknown) {
			t.Errorf("an unknown command through another node: %v", err)
		}
	})
	t.Run("all its replies", func(t *testing.T) {
		var got []string
		reply, err := all[0].Stream(t.Context(), "u", command(t, "NUMBERS", 300), Choice{}, func(r exchange.Reply) error {
			got = append(got, string(r.Payload))
			return nil
		})
		if err != nil || reply.Status != exchange.Succeeded || !slices.Equal(got, numbers(300)) {
			t.Errorf("%d replies, then %+v, %v", len(got), reply, err)
		}
	})
	t.Run("who goes away cancels it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		hangs := only.hung()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := all[0].Send(ctx, "u", command(t, "HANG", nil), Choice{}); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
		all[0].until("it hangs", func() bool { return only.hung() > hangs })
		cancel()
		wg.Wait()
		all[0].until("it hangs no more", func() bool { return only.hung() == hangs })
	})
	t.Run("a deadline is kept", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := all[1].Send(ctx, "u", command(t, "HANG", nil), Choice{}); !errors.Is(err, exchange.ErrTimeout) {
			t.Errorf("past the deadline: %v", err)
		}
	})
	t.Run("a controller that leaves", func(t *testing.T) {
		term := all[0].registry.look("u").record.revision
		all[2].stop()
		settled(all[:2], "t", 2)
		all[0].until("the target has gone", func() bool { return len(all[0].Target("u")) == 0 })
		all[0].until("nobody is its primary", func() bool { return all[0].registry.look("u").record.revision != term })
		all[1].echo("t", Choice{Primary: true})
	})
}

// TestMigratedBatches: what a controller that was alone had is there when it is
// one of three, to the status of each batch, and what waited goes on.
func TestMigratedBatches(t *testing.T) {
	routes, dir := loopback.Addresses(3), t.TempDir()
	alone := cluster.NATSOptions{Node: "c1", Dir: filepath.Join(dir, "c1")}
	engine, err := cluster.OpenNATS(alone)
	if err != nil {
		t.Fatal(err)
	}
	before := run(t, func(o *Options) { o.Engine = engine })
	p := before.join("t", "p", nil)
	succeeded := before.execute(Batch{ID: "succeeded", Target: "t", Commands: []BatchCommand{{Command: command(t, "EFFECT", 1)}}})
	failed := before.execute(Batch{ID: "failed", Target: "t", MaxRetry: NoRetry, Commands: []BatchCommand{{Command: command(t, "EFFECT", 2)}, {Command: command(t, "FAIL", nil)}}})
	waits := before.execute(Batch{ID: "waits", Target: "away", Commands: []BatchCommand{{Command: command(t, "EFFECT", 3)}}})
	for _, b := range []*Batch{&succeeded, &failed} {
		if *b, err = before.Batches().Wait(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
	}
	if succeeded.Status != BatchSucceeded || failed.Status != BatchError {
		t.Fatalf("%s, %s", succeeded.Status, failed.Status)
	}
	p.stop()
	before.stop()
	engine.Close()
	if _, err := cluster.Migrate(t.Context(), alone.Dir, cluster.As{Mode: "clustered", Cluster: "test", Node: "c1"}); err != nil {
		t.Fatal(err)
	}

	var all []*node
	for _, e := range openEngines(t, routes, dir) {
		all = append(all, run(t, func(o *Options) { o.Engine = e }))
	}
	for _, n := range all {
		for _, want := range []Batch{succeeded, failed, waits} {
			got, err := n.Batches().Get(want.ID)
			if err != nil || got.Status != want.Status || got.ErrorDetails != want.ErrorDetails || got.Done() != want.Done() || !got.Created.Equal(want.Created) {
				t.Errorf("%s: %+v, %v; want %+v", want.ID, got, err, want)
			}
		}
	}
	q := all[1].join("away", "q", nil)
	if b, err := all[2].Batches().Wait(t.Context(), "waits"); err != nil || b.Status != BatchSucceeded || len(q.effects()) != 1 {
		t.Errorf("%+v, %v, effects %v", b, err, q.effects())
	}
}
