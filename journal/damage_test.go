package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// sample writes a small journal with a bit of everything, closes it and
// returns its bytes with a description of all it holds.
func sample(t testing.TB) (file []byte, contents string) {
	t.Helper()
	dir := t.TempDir()
	j := open(t, dir, Options{Keep: 40})
	for i := range 60 { // trimmed: the file has free pages
		r := rec("orders", fmt.Sprintf("ticker#%d", i%2), "running")
		r.Detail = strings.Repeat("d", i*7)
		if _, err := j.Append([]Record{r}, Instance{Application: "orders", Name: r.Name, Generation: uint64(i), Desired: "up"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		recs := make([]Record, 9)
		for i := range recs {
			recs[i] = rec("orders", "feed", fmt.Sprint(i))
		}
		mustAppend(t, j, recs...)
	}
	if err := j.Put("plan", []byte(strings.Repeat("hash", 2000))); err != nil { // overflow pages
		t.Fatal(err)
	}
	contents = describe(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return file, contents
}

func describe(t testing.TB, j *Journal) string {
	t.Helper()
	insts, err := j.Instances()
	plan, err2 := j.Get("plan")
	feed, err3 := j.Read(Filter{Application: "orders", Name: "feed"})
	last, err4 := j.Read(Filter{Name: "ticker#1", Last: 3})
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(mustRead(t, j, Filter{}), insts, string(plan), feed, last)
}

// check opens file as a journal: it must be refused by name, or hold exactly
// what was written. It returns whether it was refused.
func check(t *testing.T, dir string, file []byte, contents, what string) bool {
	t.Helper()
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(dir, Options{Keep: 40})
	if err != nil {
		var d *DamageError
		if !errors.As(err, &d) || d.Path != path {
			t.Fatalf("%s: %v", what, err)
		}
		return true
	}
	defer func() { _ = j.Close() }()
	if got := describe(t, j); got != contents {
		t.Fatalf("%s: the journal opened and holds something else", what)
	}
	return false
}

// Bytes all over the file are damaged one by one (with JOURNAL_EVERY_BYTE set,
// every byte in use, which takes minutes). Most are judged by verify alone,
// which is what Open trusts; where it sees no damage, the journal is opened now
// and then and must hold what was written.
func TestDamageAnywhere(t *testing.T) {
	file, contents := sample(t)
	dir := t.TempDir()
	path := filepath.Join(t.TempDir(), fileName)
	if check(t, dir, file, contents, "the file itself") {
		t.Fatal("the undamaged file is refused")
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(file); err != nil {
		t.Fatal(err)
	}
	refused, opened, step := 0, 0, 41
	if os.Getenv("JOURNAL_EVERY_BYTE") != "" {
		step = 1
	}
	for at := 0; at < len(file); at += step {
		old := file[at]
		file[at] ^= 1 << (at % 8)
		if at%3 == 0 {
			file[at] = ^old
		}
		if _, err := f.WriteAt(file[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
		if _, err := verify(path); err != nil {
			refused++
		} else if opened++; opened%97 == 0 {
			check(t, dir, file, contents, fmt.Sprintf("byte %d", at))
		}
		file[at] = old
		if _, err := f.WriteAt(file[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes damaged: %d refused, %d without effect", refused+opened, refused, opened)
	if refused == 0 {
		t.Fatal("no damage was found")
	}
}

func TestTruncatedAndTornFilesAreRefused(t *testing.T) {
	file, contents := sample(t)
	dir := t.TempDir()
	m, err := readMetas(strings.NewReader(string(file)))
	if err != nil {
		t.Fatal(err)
	}
	used := int(m.pages) * pageSize
	for _, n := range []int{0, 1, 63, pageSize, 2 * pageSize, 2*pageSize + 9, used / 2, used - pageSize, used - 1} {
		if !check(t, dir, file[:n], contents, fmt.Sprintf("cut at %d", n)) {
			t.Errorf("cut at %d of %d was accepted", n, used)
		}
	}
	for page := range int(m.pages) { // a page that never reached the disk, and a stale one
		for name, fill := range map[string][]byte{"zero": make([]byte, pageSize), "stale": file[3*pageSize : 4*pageSize]} {
			torn := append([]byte{}, file...)
			copy(torn[page*pageSize:], fill)
			check(t, dir, torn, contents, fmt.Sprintf("%s page %d", name, page))
		}
	}
}

func FuzzVerify(f *testing.F) {
	file, _ := sample(f)
	f.Add(9000, uint64(1)<<40, 8300, uint64(7))
	f.Fuzz(func(t *testing.T, at int, x uint64, at2 int, y uint64) {
		path := filepath.Join(t.TempDir(), fileName)
		b := append([]byte{}, file...)
		for _, d := range []struct {
			at int
			x  uint64
		}{{at, x}, {at2, y}} {
			i := max(0, d.at) % (len(b) - 8)
			order.PutUint64(b[i:], order.Uint64(b[i:])^d.x)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = verify(path) // any answer, but an answer
	})
}

func TestMessageOfDamageNamesFileAndNextStep(t *testing.T) {
	err := error(&DamageError{Path: "/x/journal.db", Reason: "page 3 is used twice"})
	for _, part := range []string{"/x/journal.db", "page 3", "move it away"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// A file that is sound to bbolt and lacks what was written, or has more.
func TestMissingAndForeignRowsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(tx *bolt.Tx) error{
		"record": func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketRecords)).Delete(seqKey(140)) },
		"record and index": func(tx *bolt.Tx) error {
			return errors.Join(tx.Bucket([]byte(bucketRecords)).Delete(seqKey(140)),
				tx.Bucket([]byte(bucketIndex)).Delete(indexKey([]byte("orders\x00feed"), 140)))
		},
		"instance": func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(bucketInstances)).Delete([]byte("orders\x00ticker#0"))
		},
		"bucket": func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketSettings)) },
		"state":  func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Delete([]byte(keyState)) },
		"copied row": func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucketRecords))
			return b.Put(seqKey(7), bytes.Clone(b.Get(seqKey(140))))
		},
		"foreign bucket": func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket([]byte("foreign"))
			return errors.Join(err, b.Put([]byte("k"), []byte("v")))
		},
		"well sealed row": func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(bucketSettings)).Put([]byte("k"), seal(bucketSettings, []byte("k"), []byte("v")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			file, contents := sample(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "spoilt.db")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := bolt.Open(path, 0o600, boltOptions())
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(spoil), db.Close()); err != nil {
				t.Fatal(err)
			}
			if file, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
			if !check(t, dir, file, contents, name) {
				t.Fatal("accepted")
			}
		})
	}
}

// tinyDisk mounts a tmpfs of the size given, which only root may.
func tinyDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func TestFullDiskAcknowledgesNothingAndRecovers(t *testing.T) {
	disk := tinyDisk(t, "1m")
	j := open(t, disk, Options{})
	acked := uint64(0)
	r := rec("a", "x", "running")
	r.Detail = strings.Repeat("d", 1000)
	var err error
	for err == nil {
		var seq uint64
		if seq, err = j.Append([]Record{r}); err == nil {
			acked = seq
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || acked == 0 {
		t.Fatalf("%d acknowledged, then %v", acked, err)
	}
	if err := j.Put("k", []byte(strings.Repeat("v", 50_000))); err == nil {
		t.Fatal("Put succeeded on a full disk")
	}
	if recs := mustRead(t, j, Filter{}); uint64(len(recs)) != acked {
		t.Fatalf("%d records are there, %d were acknowledged", len(recs), acked)
	}
	if err := j.Close(); err != nil { // a peer that restarts on the full disk
		t.Fatal(err)
	}
	j = open(t, disk, Options{})
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	if seq := mustAppend(t, j, r); seq != acked+1 {
		t.Fatalf("goes on at %d after %d", seq, acked)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, disk, Options{})
	if recs := mustRead(t, j, Filter{}); uint64(len(recs)) != acked+1 {
		t.Fatalf("%d records after reopening", len(recs))
	}
}
