package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// victims starts a cluster of n controllers, each in a process of its own.
func victims(t testing.TB, n int) (all []*victim) {
	t.Helper()
	routes := loopback.Addresses(n)
	for i := range n {
		mine := slices.Concat(routes[i:], routes[:i])
		v := &victim{t: t, dir: filepath.Join(t.TempDir(), fmt.Sprint("c", i+1)), routes: mine}
		v.begin()
		t.Cleanup(func() {
			if t.Failed() {
				v.explain()
			}
			v.kill()
		})
		all = append(all, v)
	}
	for _, v := range all {
		v.await()
	}
	return all
}

// explain logs what a controller sees, and what it told of.
func (v *victim) explain() {
	for _, what := range []string{"channels", "batchs?status=pending", "batchs?status=created", "batchs?status=in_progress"} {
		v.t.Logf("%s: %s: %s", filepath.Base(v.dir), what, get("http://"+v.address+"/exchange/"+what))
	}
	log, _ := os.ReadFile(v.dir + ".log")
	lines := strings.Split(string(log), "\n")
	v.t.Logf("%s: events:\n%s", filepath.Base(v.dir), strings.Join(lines[max(0, len(lines)-40):], "\n"))
}

func urls(all []*victim) (urls []string) {
	for _, v := range all {
		urls = append(urls, "http://"+v.address)
	}
	return urls
}

// TestKillsInACluster kills controllers with SIGKILL: with one of three away
// commands go on; with two, batches are refused; what was taken is carried out,
// once, when they are back.
func TestKillsInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as several elections")
	}
	all := victims(t, 3)
	n := &node{t: t, news: make(chan struct{})} // only to wait with
	p := &slowPeer{}
	p.connect(t, urls(all)...)
	batch := func(id string) string {
		var body strings.Builder
		for i := range 10 {
			fmt.Fprintf(&body, `,{"type":"EFFECT","payload":"%s/%d"}`, id, i+1)
		}
		return fmt.Sprintf(`{"id":%q,"maxRetry":5,"commands":[%s]}`, id, body.String()[1:])
	}
	succeeded := func(v *victim, id string) {
		t.Helper()
		n.until(id+" has succeeded", func() bool {
			return strings.Contains(get("http://"+v.address+"/exchange/batchs/"+id), `"SUCCEEDED"`)
		})
		var got []string
		for _, effect := range p.effects() { // others may be under way
			if number, ok := strings.CutPrefix(strings.Trim(effect, `"`), id+"/"); ok {
				got = append(got, number)
			}
		}
		if !slices.Equal(got, numbers(10)) {
			t.Errorf("%s: effects %v", id, got)
		}
	}
	killed := all[:1]
	if os.Getenv("PEERD_TEST_KILLS") != "" {
		killed = all // one of them led
	}
	for i, v := range killed {
		id := fmt.Sprint("one-of-three-", i)
		other := all[(i+1)%3]
		n.until("taken", func() bool { return posted(other.address, batch(id)) == http.StatusAccepted })
		v.kill()
		killed := time.Now()
		succeeded(other, id)
		n.until("taken again", func() bool { return posted(other.address, batch(id+"-after")) == http.StatusAccepted })
		succeeded(other, id+"-after")
		t.Logf("with %s killed, a batch under way and another one were over after %v", filepath.Base(v.dir), time.Since(killed).Round(time.Millisecond))
		v.start()
	}

	n.until("taken", func() bool { return posted(all[0].address, batch("two-of-three")) == http.StatusAccepted })
	all[1].kill()
	all[2].kill()
	// A batch that was taken in the moment before is taken; then none is.
	n.until("refused", func() bool { return posted(all[0].address, batch("refused")) == http.StatusServiceUnavailable })
	all[1].begin()
	all[2].begin()
	all[1].await()
	all[2].await()
	succeeded(all[2], "two-of-three")
	n.until("taken", func() bool { return posted(all[1].address, batch("again")) == http.StatusAccepted })
	succeeded(all[0], "again")
}

// posted posts a batch for target t and returns the status.
func posted(address, body string) int {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+address+"/exchange/targets/t/batchs", "application/json", strings.NewReader(body))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
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
