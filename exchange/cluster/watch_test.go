package cluster

import (
	"context"
	"slices"
	"testing"
)

// TestAWatchThatBeginsAnew reads from a node that may be behind: what is missing
// there has not gone, unless the bucket says so.
func TestAWatchThatBeginsAnew(t *testing.T) {
	b := bucket(t, openNATS(t, t.TempDir()), BucketOptions{}).(*natsBucket)
	there, gone := put(t, b, "there", "1", 0), put(t, b, "gone", "1", 0)
	if err := b.Delete(t.Context(), "gone", Any); err != nil {
		t.Fatal(err)
	}
	changed := put(t, b, "changed", "1", 0)
	put(t, b, "changed", "2", changed)
	var told []string
	w := &watcher{b: b, ready: true, known: map[string]uint64{"there": there, "gone": gone, "changed": changed}, to: func(e Entry) {
		if e.Deleted {
			told = append(told, "-"+e.Key)
			return
		}
		told = append(told, e.Key+"="+string(e.Value))
	}}
	if err := w.complete(context.Background(), map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	if !slices.Equal(told, []string{"-gone", "changed=2"}) {
		t.Errorf("told %v", told)
	}
}
