package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

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

// asText passes on what a Watch tells in words.
func asText(told chan<- string) func(Entry) {
	return func(e Entry) {
		switch {
		case e.Ready:
			told <- "ready"
		case e.Deleted:
			told <- "-" + e.Key
		default:
			told <- e.Key + "=" + string(e.Value)
		}
	}
}

// watching collects what a Watch tells until it is stopped.
func watching(t *testing.T, b Bucket, prefix string) <-chan string {
	t.Helper()
	told := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := b.Watch(ctx, prefix, asText(told))
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
		empty := watching(t, b, "")
		expect(t, empty, "ready")
		put(t, b, "a/x y", "1", 0)
		put(t, b, "b/z", "2", 0)
		put(t, b, "a/gone", "3", 0)
		if err := b.Delete(t.Context(), "a/gone", Any); err != nil {
			t.Fatal(err)
		}
		told := watching(t, b, "a")
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
		b := bucket(t, e, BucketOptions{TTL: 5 * time.Second})
		told := watching(t, b, "")
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
		if _, err := e.Request(t.Context(), "node/"+t.Name(), nil, nil); !errors.Is(err, ErrNobody) {
			t.Errorf("nobody serves, but: %v", err)
		}
		stop := serve(t, e, "node/"+t.Name(), func(_ context.Context, data []byte, _ func([]byte) error) ([]byte, error) {
			if len(data) == 0 {
				return nil, errors.New("nothing asked")
			}
			return append([]byte("re: "), data...), nil
		})
		answer, err := e.Request(t.Context(), "node/"+t.Name(), []byte("hi"), nil)
		if err != nil || string(answer) != "re: hi" {
			t.Errorf("%q, %v", answer, err)
		}
		if _, err := e.Request(t.Context(), "node/"+t.Name(), nil, nil); err == nil || err.Error() != "nothing asked" {
			t.Errorf("the error that was answered came as %v", err)
		}
		stop()
		if _, err := e.Request(t.Context(), "node/"+t.Name(), nil, nil); !errors.Is(err, ErrNobody) {
			t.Errorf("nobody serves any more, but: %v", err)
		}
	})
}

func TestRequestsOfManyAnswers(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		cancelled := make(chan struct{})
		serve(t, e, "many/"+t.Name(), func(ctx context.Context, data []byte, part func([]byte) error) ([]byte, error) {
			switch {
			case part == nil:
				return []byte("no parts wanted"), nil
			case string(data) == "for ever":
				err := part([]byte("begun"))
				<-ctx.Done()
				close(cancelled)
				return nil, err
			}
			for i := range 300 {
				if err := part(fmt.Append(nil, i)); err != nil {
					return nil, err
				}
			}
			return []byte("last"), nil
		})
		if answer, err := e.Request(t.Context(), "many/"+t.Name(), nil, nil); err != nil || string(answer) != "no parts wanted" {
			t.Errorf("%q, %v", answer, err)
		}
		n := 0
		answer, err := e.Request(t.Context(), "many/"+t.Name(), nil, func(data []byte) error {
			if string(data) != fmt.Sprint(n) {
				t.Errorf("part %d is %q", n, data)
			}
			n++
			return nil
		})
		if err != nil || string(answer) != "last" || n != 300 {
			t.Errorf("%d parts, then %q, %v", n, answer, err)
		}
		enough := errors.New("enough")
		if _, err := e.Request(t.Context(), "many/"+t.Name(), []byte("for ever"), func([]byte) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("the error of each came as %v", err)
		}
		<-cancelled
		if _, err := e.Request(t.Context(), "node/nobody", nil, func([]byte) error { return nil }); !errors.Is(err, ErrNobody) {
			t.Errorf("nobody serves, but: %v", err)
		}
	})
}

func TestDurableBucketsOutliveTheNode(t *testing.T) {
	dir := t.TempDir()
	durable := func(e Engine) Bucket {
		b, err := e.Bucket(t.Context(), "things", BucketOptions{Durable: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	e := openNATS(t, dir)
	revision := put(t, durable(e), "k", "kept", 0)
	if _, err := OpenNATS(NATSOptions{Node: "two", Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second engine in the same folder: %v", err)
	}
	e.Close()
	if got, err := durable(openNATS(t, dir)).Get(t.Context(), "k"); err != nil || string(got.Value) != "kept" || got.Revision != revision {
		t.Errorf("after a restart: %+v, %v", got, err)
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

// BenchmarkDurablePut measures one durable write after the other, of an engine
// that is alone, and of clusters.
func BenchmarkDurablePut(b *testing.B) {
	for _, n := range []int{1, 3, 5} {
		b.Run(fmt.Sprint(n, "-nodes"), func(b *testing.B) {
			all := members(n, b.TempDir())
			for i := range all {
				all[i].Cluster.Replicas = n
			}
			if n == 1 {
				all[0].Cluster = nil
			}
			engines := openAll(b, all)
			things, err := engines[0].Bucket(b.Context(), "things", BucketOptions{Durable: true})
			if err != nil {
				b.Fatal(err)
			}
			value := []byte(strings.Repeat("x", 256))
			for i := 0; b.Loop(); i++ {
				if _, err := things.Put(b.Context(), fmt.Sprint("k/", i), value, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
