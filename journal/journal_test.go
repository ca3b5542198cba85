package journal

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func open(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func rec(app, name, to string) Record {
	return Record{At: time.Unix(1_700_000_000, 42).UTC(), Application: app, Name: name, Generation: 3, From: "starting", To: to, Cause: "status", By: "peer", Pid: 42}
}

func mustAppend(t testing.TB, j *Journal, recs ...Record) uint64 {
	t.Helper()
	seq, err := j.Append(recs)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func mustRead(t testing.TB, j *Journal, f Filter) []Record {
	t.Helper()
	recs, err := j.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return recs
}

func seqs(recs []Record) []uint64 {
	out := make([]uint64, 0, len(recs))
	for _, r := range recs {
		out = append(out, r.Seq)
	}
	return out
}

func TestEverythingWrittenIsThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	in := []Record{rec("orders", "ticker", "running"), rec("orders", "ticker", "failed")}
	in[1].Exit = &Exit{Code: -1, Signal: "SIGKILL"}
	if seq, err := j.Append(in, Instance{Application: "orders", Name: "ticker", Generation: 3, Desired: "up", Live: []byte("id")}); err != nil || seq != 2 {
		t.Fatal(seq, err)
	}
	if in[0].Seq != 1 || in[1].Seq != 2 {
		t.Fatalf("Append did not set Seq: %v", seqs(in))
	}
	if err := j.Put("plan", []byte("hash")); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = open(t, dir, Options{})
	out := mustRead(t, j, Filter{})
	if fmt.Sprint(out[0]) != fmt.Sprint(in[0]) || *out[1].Exit != *in[1].Exit || len(out) != 2 {
		t.Fatalf("read %+v, wrote %+v", out, in)
	}
	insts, err := j.Instances()
	if err != nil || len(insts) != 1 || string(insts[0].Live) != "id" || insts[0].Desired != "up" {
		t.Fatal(insts, err)
	}
	if v, err := j.Get("plan"); err != nil || string(v) != "hash" {
		t.Fatalf("%q %v", v, err)
	}
	if seq := mustAppend(t, j, rec("orders", "ticker", "running")); seq != 3 {
		t.Fatalf("sequence went on at %d, not 3", seq)
	}
}

func TestForgetAndPutNilRemove(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	if _, err := j.Append([]Record{rec("a", "x", "running")}, Instance{Application: "a", Name: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Put("k", []byte{}), j.Forget("a", "x"), j.Forget("a", "never")); err != nil {
		t.Fatal(err)
	}
	if v, err := j.Get("k"); v == nil || err != nil {
		t.Fatalf("an empty value is a value: %v %v", v, err)
	}
	if err := j.Put("k", nil); err != nil {
		t.Fatal(err)
	}
	if v, err := j.Get("k"); v != nil || err != nil {
		t.Fatal(v, err)
	}
	if insts, err := j.Instances(); err != nil || len(insts) != 0 {
		t.Fatal(insts, err)
	}
	if len(mustRead(t, j, Filter{Name: "x"})) != 1 {
		t.Fatal("history went with the instance")
	}
}

func TestSequenceNumbersNeverComeTwiceEvenWhenAllHistoryIsTrimmed(t *testing.T) {
	dir := t.TempDir()
	var last uint64
	for range 4 {
		j := open(t, dir, Options{Keep: 1, Total: 1})
		for range 3 {
			seq := mustAppend(t, j, rec("a", "x", "running"))
			if seq <= last {
				t.Fatalf("%d after %d", seq, last)
			}
			last = seq
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilters(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	mustAppend(t, j, rec("a", "x", "1"), rec("a", "xx", "2"), rec("b", "x", "3"), rec("a", "x", "4"), rec("a\x01", "x", "5"), rec("a", "x", "6"))
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "[1 2 3 4 5 6]"},
		{Filter{Application: "a", Name: "x"}, "[1 4 6]"},
		{Filter{Application: "a"}, "[1 2 4 6]"},
		{Filter{Name: "x"}, "[1 3 4 5 6]"},
		{Filter{Name: "x", Last: 2}, "[5 6]"},
		{Filter{Last: 2}, "[5 6]"},
		{Filter{Last: 9}, "[1 2 3 4 5 6]"},
		{Filter{Since: 4}, "[5 6]"},
		{Filter{Since: 4, Last: 9}, "[5 6]"},
		{Filter{Application: "a", Name: "x", Since: 1, Last: 1}, "[6]"},
		{Filter{Application: "a", Name: "x", Since: 6}, "[]"},
		{Filter{Since: ^uint64(0)}, "[]"},
		{Filter{Application: "b", Name: "x", Last: 5}, "[3]"},
		{Filter{Name: "nobody"}, "[]"},
	} {
		if got := fmt.Sprint(seqs(mustRead(t, j, c.f))); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
}

// The journal against a model: a slice per instance.
func TestHistoryMatchesAModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		keep := rapid.IntRange(1, 5).Draw(r, "keep")
		j, err := Open(dir, Options{Keep: keep})
		if err != nil {
			r.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		model := map[string][]uint64{}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			if rapid.IntRange(0, 4).Draw(r, "reopen") == 0 {
				if err := j.Close(); err != nil {
					r.Fatal(err)
				}
				if j, err = Open(dir, Options{Keep: keep}); err != nil {
					r.Fatal(err)
				}
			}
			names := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "x#2"}), 1, 4).Draw(r, "names")
			recs := make([]Record, len(names))
			for i, n := range names {
				recs[i] = rec("a", n, "running")
			}
			if _, err := j.Append(recs); err != nil {
				r.Fatal(err)
			}
			for i, n := range names {
				model[n] = append(model[n], recs[i].Seq)
				model[n] = model[n][max(0, len(model[n])-keep):]
			}
			for n, want := range model {
				got, err := j.Read(Filter{Application: "a", Name: n})
				if err != nil || fmt.Sprint(seqs(got)) != fmt.Sprint(want) {
					r.Fatalf("%s: %v %v, want %v", n, seqs(got), err, want)
				}
			}
		}
	})
}

func TestTotalBoundsTheHistoryOfInstancesThatAreGone(t *testing.T) {
	j := open(t, t.TempDir(), Options{Total: 10})
	for i := range 30 {
		mustAppend(t, j, rec("a", fmt.Sprintf("gone%d", i), "running"))
	}
	if got := len(mustRead(t, j, Filter{})); got != 10 {
		t.Fatalf("%d records kept", got)
	}
	if got := len(j.tally.heads); got != 10 {
		t.Fatalf("%d heads kept", got)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	for _, r := range []Record{rec("a", "", "x"), rec("a\x00b", "x", "x"), rec("a", string(make([]byte, 2000)), "x")} {
		if _, err := j.Append([]Record{rec("a", "ok", "x"), r}); err == nil {
			t.Errorf("%q was accepted", r.Name)
		}
	}
	if len(mustRead(t, j, Filter{})) != 0 {
		t.Fatal("part of a refused Append was written")
	}
}

func TestWhatIsTooLongIsCutOrRefused(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	r := rec("a", "x", "failed")
	r.Detail = strings.Repeat("é", 5000)
	mustAppend(t, j, r)
	if got := mustRead(t, j, Filter{})[0].Detail; len(got) > maxDetail+40 || !strings.HasSuffix(got, "é… (10000 bytes in all)") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-40:])
	}
	_, err := j.Append(nil, Instance{Application: "a", Name: "x", Live: make([]byte, maxRow)})
	if err == nil || j.Put("k", make([]byte, maxRow+1)) == nil {
		t.Error("a row without bound was accepted")
	}
}

func TestParallelWritersShareCommitsAndLoseNothing(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{Keep: 10_000})
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for range 20 {
				if _, err := j.Append([]Record{rec("a", fmt.Sprint(w), "running")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, r := range mustRead(t, j, Filter{}) {
		if r.Seq != uint64(i+1) {
			t.Fatalf("record %d has seq %d", i, r.Seq)
		}
	}
	if got := j.tally.seq; got != 640 {
		t.Fatalf("%d records", got)
	}
}

func TestSecondOpenerIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v", err)
	}
}

func TestClosedJournalSaysSo(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := j.Append([]Record{rec("a", "x", "y")})
	_, err2 := j.Read(Filter{})
	if !errors.Is(err, ErrClosed) || !errors.Is(err2, ErrClosed) {
		t.Fatal(err, err2)
	}
}

// A lock that was kept holds the folder beyond Close, and is taken over by the
// program that this one becomes.
func TestTheLockIsHandedOver(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	mustAppend(t, j, rec("orders", "ticker", "running"))
	lock, err := j.KeepLock()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("between the two: %v", err)
	}
	next := open(t, dir, Options{Lock: lock})
	if got := mustRead(t, next, Filter{}); len(got) != 1 {
		t.Errorf("read %v", got)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("after both: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	other := open(t, t.TempDir(), Options{Lock: lock})
	mustAppend(t, other, rec("orders", "ticker", "running"))
}
