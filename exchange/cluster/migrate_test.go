package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kept is what a durable bucket had before a move, and has to have after it.
type kept map[string]Entry

// fill writes keys, some of them several times, and deletes some.
func fill(t *testing.T, e Engine, n int) kept {
	t.Helper()
	b, err := e.Bucket(t.Context(), "durable", BucketOptions{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Bucket(t.Context(), "passing", BucketOptions{}); err != nil {
		t.Fatal(err)
	}
	k := make(kept)
	for i := range n {
		key := fmt.Sprint("k/", i%(n/2))
		r, err := b.Put(t.Context(), key, fmt.Append(nil, "value ", i), Any)
		if err != nil {
			t.Fatal(err)
		}
		k[key] = Entry{Key: key, Value: fmt.Append(nil, "value ", i), Revision: r}
	}
	if err := b.Delete(t.Context(), "k/0", Any); err != nil {
		t.Fatal(err)
	}
	delete(k, "k/0")
	return k
}

// check makes sure that all is there, with its revision, and that later ones are
// higher.
func (k kept) check(t *testing.T, e Engine) {
	t.Helper()
	b, err := e.Bucket(t.Context(), "durable", BucketOptions{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	highest := uint64(0)
	for key, want := range k {
		got, err := b.Get(t.Context(), key)
		if err != nil || string(got.Value) != string(want.Value) || got.Revision != want.Revision {
			t.Errorf("%s: %q at %d, %v; want %q at %d", key, got.Value, got.Revision, err, want.Value, want.Revision)
		}
		highest = max(highest, want.Revision)
	}
	if _, err := b.Get(t.Context(), "k/0"); err == nil {
		t.Error("what was deleted is there")
	}
	if r := put(t, b, "later", "", 0); r <= highest {
		t.Errorf("revision %d after %d", r, highest)
	}
	if err := b.Delete(t.Context(), "later", Any); err != nil {
		t.Error(err)
	}
}

// openAll opens the nodes of a cluster and waits for them.
func openAll(t testing.TB, all []NATSOptions) (engines []*NATS) {
	t.Helper()
	for _, o := range all {
		e, err := OpenNATS(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		engines = append(engines, e)
	}
	for _, e := range engines {
		if err := wait(e); err != nil {
			t.Fatal(err)
		}
	}
	return engines
}

// TestMigration moves what an engine that was alone has to a cluster, and from
// there, by a snapshot, back to one that is alone.
func TestMigration(t *testing.T) {
	dir := t.TempDir()
	all := members(3, dir)
	alone, err := OpenNATS(NATSOptions{Node: "c1", Dir: all[0].Dir})
	if err != nil {
		t.Fatal(err)
	}
	want := fill(t, alone, 200)
	if _, err := Migrate(t.Context(), all[0].Dir, As{Mode: "clustered", Cluster: "east", Node: "c1"}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("migrated while it was in use: %v", err)
	}
	alone.Close()
	before, err := Migrate(t.Context(), all[0].Dir, As{Mode: "clustered", Cluster: "east", Node: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(before); err != nil {
		t.Errorf("the store as it was is not kept: %v", err)
	}
	if f, err := Inspect(all[0].Dir); err != nil || f.Mode != "clustered" || f.Cluster != "east" || f.Node != "c1" || f.InUse || f.Pending == "" {
		t.Errorf("Inspect = %+v, %v", f, err)
	}

	engines := openAll(t, all)
	for _, e := range engines {
		want.check(t, e)
	}
	if f, err := Inspect(all[0].Dir); err != nil || !f.InUse || f.Pending != "" {
		t.Errorf("Inspect = %+v, %v", f, err)
	}
	file := filepath.Join(dir, "east.snapshot")
	m, err := engines[1].Snapshot(t.Context(), file)
	if err != nil || len(m.Buckets) != 1 || m.Mode != "clustered" {
		t.Errorf("Snapshot = %+v, %v", m, err)
	}
	if _, err := engines[1].Snapshot(t.Context(), file); err == nil {
		t.Error("a snapshot was overwritten")
	}

	back := filepath.Join(dir, "back")
	if _, err := Restore(file, back, As{Mode: "standalone", Node: "one"}); err != nil {
		t.Fatal(err)
	}
	e := openNATS(t, back)
	if err := wait(e); err != nil {
		t.Fatal(err)
	}
	want.check(t, e)
	e.Close()
	pend := func(dir string) error {
		if err := copyFile(file, filepath.Join(dir, pendingFile)); err != nil {
			t.Fatal(err)
		}
		e := openNATS(t, dir)
		defer e.Close()
		return wait(e)
	}
	if err := pend(back); err != nil {
		t.Errorf("the same snapshot again: %v", err)
	}
	full := filepath.Join(dir, "full")
	other := openNATS(t, full)
	fill(t, other, 2)
	other.Close()
	if err := pend(full); err == nil || !strings.Contains(err.Error(), "only a new engine") {
		t.Errorf("a snapshot for an engine that is not new: %v", err)
	}
}

// TestAMigrationThatIsInterrupted is finished by another one, and nothing starts
// in between.
func TestAMigrationThatIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	e, err := OpenNATS(NATSOptions{Node: "one", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := fill(t, e, 20)
	e.Close()
	if _, err := SnapshotFolder(t.Context(), dir, filepath.Join(dir, migratingFile)); err != nil {
		t.Fatal(err)
	}
	for _, moved := range []bool{false, true} { // killed before and after the store was moved
		if moved {
			if err := os.Rename(filepath.Join(dir, storeFolder), filepath.Join(dir, "before")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := OpenNATS(NATSOptions{Node: "one", Dir: dir}); err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("moved %v: started: %v", moved, err)
		}
	}
	if _, err := Migrate(t.Context(), dir, As{Mode: "external", Node: "one"}); err != nil {
		t.Fatal(err)
	}
	s, err := elsewhere(t.TempDir(), -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	x, err := OpenExternal(ExternalOptions{Node: "one", Dir: dir, URL: s.ClientURL(), Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := wait(x); err != nil {
		t.Fatal(err)
	}
	want.check(t, x)
}

// TestSnapshotsThatAreNotWhole are refused, and change nothing.
func TestSnapshotsThatAreNotWhole(t *testing.T) {
	dir := t.TempDir()
	e := openNATS(t, filepath.Join(dir, "one"))
	fill(t, e, 20)
	file := filepath.Join(dir, "whole")
	if _, err := e.Snapshot(context.Background(), file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 511, 512, 600, len(whole) / 2, len(whole) - 2000} {
		part := filepath.Join(dir, fmt.Sprint("part-", size))
		if err := os.WriteFile(part, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "to")
		if _, err := Restore(part, to, As{Mode: "standalone", Node: "one"}); err == nil {
			t.Errorf("%d of %d bytes were taken", size, len(whole))
		}
		if _, err := os.Stat(to); err == nil {
			t.Error("a folder was made of it")
		}
	}
}
