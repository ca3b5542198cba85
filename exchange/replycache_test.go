package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a mux whose RUN counts its effects; the n-th run may fail.
func counting(cache *ReplyCache, failures int) (m *Mux, effects *int) {
	effects = new(int)
	var mu sync.Mutex
	m = &Mux{Replies: cache}
	m.Handle("RUN", func(context.Context, *Request) (any, error) {
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if failures > 0 {
			failures--
			return nil, errors.New("try again")
		}
		*effects++
		return *effects, nil
	})
	m.Handle("OTHER", m.handlers["RUN"])
	return m, effects
}

func TestReplyCache(t *testing.T) {
	keyed := func(id, key string) Command { return Command{ID: id, Type: "RUN", IdempotencyKey: key} }
	tests := []struct {
		name     string
		cache    *ReplyCache
		failures int
		commands []Command
		effects  int
	}{
		{"one key, one effect", NewReplyCache(0, 0, false), 0, []Command{keyed("1", "k"), keyed("2", "k"), keyed("3", "k")}, 1},
		{"two keys", NewReplyCache(0, 0, false), 0, []Command{keyed("1", "k"), keyed("2", "l")}, 2},
		{"one key of two types", NewReplyCache(0, 0, false), 0, []Command{keyed("1", "k"), {ID: "2", Type: "OTHER", IdempotencyKey: "k"}}, 2},
		{"no key", NewReplyCache(0, 0, false), 0, []Command{keyed("1", ""), keyed("1", "")}, 2},
		{"by id", NewReplyCache(0, 0, true), 0, []Command{keyed("1", ""), keyed("1", ""), keyed("2", "")}, 2},
		{"a failure is no effect", NewReplyCache(0, 0, false), 1, []Command{keyed("1", "k"), keyed("1", "k"), keyed("1", "k")}, 1},
		{"no cache", nil, 0, []Command{keyed("1", "k"), keyed("1", "k")}, 2},
		{"bound of entries", NewReplyCache(1, 0, false), 0, []Command{keyed("1", "k"), keyed("2", "l"), keyed("3", "k")}, 3},
		{"bound of bytes", NewReplyCache(0, 10, false), 0, []Command{keyed("1", "k"), keyed("2", "k")}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, effects := counting(tt.cache, tt.failures)
				for _, cmd := range tt.commands {
					if r := m.Dispatch(t.Context(), cmd, nil); r.CommandID != cmd.ID {
						t.Errorf("reply to %s: %+v", cmd.ID, r)
					}
				}
				if *effects != tt.effects {
					t.Errorf("%d effects, want %d", *effects, tt.effects)
				}
			})
		})
	}
}

func TestReplyCacheOfCommandsAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, effects := counting(NewReplyCache(0, 0, false), 2)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { m.Dispatch(t.Context(), Command{ID: fmt.Sprint(i), Type: "RUN", IdempotencyKey: "k"}, nil) })
		}
		wg.Wait()
		if *effects != 1 {
			t.Errorf("%d effects, want 1", *effects)
		}
	})
}

// TestGuardedRepliesAreNotForEverybody: who may not ask gets no reply that another
// one's command has left in the cache, and is not told which types there are.
func TestGuardedRepliesAreNotForEverybody(t *testing.T) {
	m := &Mux{Replies: NewReplyCache(0, 0, false)}
	m.Handle("SECRET", func(context.Context, *Request) (any, error) { return "s3cret", nil })
	cmd := Command{ID: "1", Type: "SECRET", IdempotencyKey: "k"}
	if r := m.Guarded(func(Command) error { return nil }).Dispatch(t.Context(), cmd, nil); r.Status != Succeeded {
		t.Errorf("who may: %+v", r)
	}
	none := m.Guarded(func(cmd Command) error { return errors.New("not allowed: " + cmd.Type) })
	for _, typ := range []string{"SECRET", "OTHER"} {
		cmd.Type = typ
		if r := none.Dispatch(t.Context(), cmd, nil); r.Status != Failed || r.ErrorDetails != "not allowed: "+typ || r.Type != typ {
			t.Errorf("who may not: %+v", r)
		}
	}
}
