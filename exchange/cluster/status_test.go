package cluster

import (
	"slices"
	"testing"
	"time"
)

// TestStatusOfBuckets: all nodes name the same leader of a bucket; while one is
// away another one leads, and says whose copy lags behind.
func TestStatusOfBuckets(t *testing.T) {
	all := members(3, t.TempDir())
	engines := openAll(t, all)
	b := durable(t, engines[0])
	put(t, b, "first", "1", 0)
	leader := ""
	await(t, "they agree on a leader, and no copy lags behind", func() bool {
		var leaders []string
		for _, e := range engines {
			s := e.Status().Buckets
			if len(s) != 1 || s[0].Leader == "" || len(s[0].Behind) > 0 {
				return false
			}
			leaders = append(leaders, s[0].Leader)
		}
		leader = leaders[0]
		return len(slices.Compact(leaders)) == 1
	})
	gone := slices.IndexFunc(engines, func(e *NATS) bool { return e.Node() == leader })
	engines[gone].Close()
	engines = slices.Delete(engines, gone, gone+1)
	await(t, "another one leads, and misses it", func() bool {
		return slices.ContainsFunc(engines, func(e *NATS) bool {
			s := e.Status().Buckets
			return len(s) == 1 && s[0].Leader == e.Node() && slices.Equal(s[0].Behind, []string{leader})
		})
	})
}

// await waits until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	until := time.Now().Add(patient)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !cond() {
		if time.Now().After(until) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-look.C
	}
}
