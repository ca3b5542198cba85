package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The server keeps one for all of a process's life.
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.init.0.func1"))
}

// engines are what the suite runs on.
var engines = map[string]func(t *testing.T) Engine{
	"memory": func(*testing.T) Engine { return NewMemory().Engine("one") },
	"nats":   func(t *testing.T) Engine { return openNATS(t, t.TempDir()) },
}

func openNATS(t *testing.T, dir string) *NATS {
	t.Helper()
	e, err := OpenNATS(NATSOptions{Node: "one", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func each(t *testing.T, f func(t *testing.T, e Engine)) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

func bucket(t *testing.T, e Engine, o BucketOptions) Bucket {
	t.Helper()
	b, err := e.Bucket(t.Context(), "things", o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, b Bucket, key, value string, after uint64) uint64 {
	t.Helper()
	r, err := b.Put(t.Context(), key, []byte(value), after)
	if err != nil {
		t.Fatalf("Put %s after %d: %v", key, after, err)
	}
	return r
}

func TestWritesAreDecidedOnRevisions(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		b := bucket(t, e, BucketOptions{})
		conflict := func(err error) {
			t.Helper()
			if !errors.Is(err, ErrConflict) {
				t.Errorf("want a conflict, got %v", err)
			}
		}
		first := put(t, b, "k", "1", 0)
		_, err := b.Put(t.Context(), "k", nil, 0)
		conflict(err)
		second := put(t, b, "k", "2", first)
		_, err = b.Put(t.Context(), "k", nil, first)
		conflict(err)
		conflict(b.Delete(t.Context(), "k", first))
		if got, err := b.Get(t.Context(), "k"); err != nil || string(got.Value) != "2" || got.Revision != second || got.Key != "k" {
			t.Errorf("Get = %+v, %v", got, err)
		}
		if err := b.Delete(t.Context(), "k", second); err != nil {
			t.Error(err)
		}
		if _, err := b.Get(t.Context(), "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get of a deleted key: %v", err)
		}
		conflict(b.Delete(t.Context(), "k", second))
		if err := b.Delete(t.Context(), "never", Any); err != nil {
			t.Errorf("Delete of what was never there: %v", err)
		}
		if third := put(t, b, "k", "3", 0); third <= second {
			t.Errorf("revision %d after %d", third, second)
		}
		put(t, b, "k", "4", Any)
	})
}

func TestOneOfManyWins(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		b := bucket(t, e, BucketOptions{Durable: true})
		var wg sync.WaitGroup
		won := make(chan int, 20)
		for i := range 20 {
			wg.Go(func() {
				if _, err := b.Put(t.Context(), "k", nil, 0); err == nil {
					won <- i
				} else if !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Errorf("%d writers won", len(won))
		}
	})
}

// watch collects what a Watch tells until it is stopped.
func watch(t *testing.T, b Bucket, prefix string) <-chan string {
	t.Helper()
	told := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := b.Watch(ctx, prefix, func(e Entry) {
			switch {
			case e.Ready:
				told <- "ready"
			case e.Deleted:
				told <- "-" + e.Key
			default:
				told <- e.Key + "=" + string(e.Value)
			}
		})
		if err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return told
}

func expect(t *testing.T, told <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-told:
			if got != w {
				t.Errorf("told %q, want %q", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("not told of %q", w)
		}
	}
}

func TestWatch(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		b := bucket(t, e, BucketOptions{})
		empty := watch(t, b, "")
		expect(t, empty, "ready")
		put(t, b, "a/x y", "1", 0)
		put(t, b, "b/z", "2", 0)
		put(t, b, "a/gone", "3", 0)
		if err := b.Delete(t.Context(), "a/gone", Any); err != nil {
			t.Fatal(err)
		}
		told := watch(t, b, "a")
		expect(t, told, "a/x y=1", "ready")
		put(t, b, "b/z", "4", Any)
		put(t, b, "a/x y", "5", Any)
		expect(t, told, "a/x y=5")
		if err := b.Delete(t.Context(), "a/x y", Any); err != nil {
			t.Fatal(err)
		}
		expect(t, told, "-a/x y")
	})
}

func TestLeasesExpire(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		b := bucket(t, e, BucketOptions{TTL: time.Second})
		told := watch(t, b, "")
		expect(t, told, "ready")
		r := put(t, b, "lease", "1", 0)
		expect(t, told, "lease=1")
		r = put(t, b, "lease", "2", r)
		expect(t, told, "lease=2")
		put(t, b, "lease", "3", r) // renewed twice, and still a lease
		expect(t, told, "lease=3", "-lease")
		put(t, b, "lease", "4", 0)
	})
}

func TestRequests(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		if _, err := e.Request(t.Context(), "node/one", nil); !errors.Is(err, ErrNobody) {
			t.Errorf("nobody serves, but: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			err := e.Serve(ctx, "node/one", func(_ context.Context, data []byte) ([]byte, error) {
				if len(data) == 0 {
					return nil, errors.New("nothing asked")
				}
				return append([]byte("re: "), data...), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		answer, err := e.Request(t.Context(), "node/one", []byte("hi"))
		for errors.Is(err, ErrNobody) { // it has not begun yet
			answer, err = e.Request(t.Context(), "node/one", []byte("hi"))
		}
		if err != nil || string(answer) != "re: hi" {
			t.Errorf("%q, %v", answer, err)
		}
		if _, err := e.Request(t.Context(), "node/one", nil); err == nil || err.Error() != "nothing asked" {
			t.Errorf("the error that was answered came as %v", err)
		}
		cancel()
		wg.Wait()
		if _, err := e.Request(t.Context(), "node/one", nil); !errors.Is(err, ErrNobody) {
			t.Errorf("nobody serves any more, but: %v", err)
		}
	})
}

func TestDurableBucketsOutliveTheNode(t *testing.T) {
	dir := t.TempDir()
	e := openNATS(t, dir)
	revision := put(t, bucket(t, e, BucketOptions{Durable: true}), "k", "kept", 0)
	if _, err := OpenNATS(NATSOptions{Node: "two", Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second engine in the same folder: %v", err)
	}
	e.Close()
	b := bucket(t, openNATS(t, dir), BucketOptions{Durable: true})
	if got, err := b.Get(t.Context(), "k"); err != nil || string(got.Value) != "kept" || got.Revision != revision {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
}

func TestAFolderKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mode"), []byte("cluster\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenNATS(NATSOptions{Node: "one", Dir: dir}); err == nil || !strings.Contains(err.Error(), "migrated") {
		t.Errorf("opened a folder of another mode: %v", err)
	}
}

func TestKeysSurviveEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		if got := decodeKey(encodeKey(key)); got != key {
			t.Errorf("%q became %q by way of %q", key, got, encodeKey(key))
		}
	})
}

func BenchmarkDurablePut(b *testing.B) {
	e, err := OpenNATS(NATSOptions{Node: "one", Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	things, err := e.Bucket(b.Context(), "things", BucketOptions{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	value := []byte(strings.Repeat("x", 256))
	for i := 0; b.Loop(); i++ {
		if _, err := things.Put(b.Context(), fmt.Sprint("k/", i), value, 0); err != nil {
			b.Fatal(err)
		}
	}
}
