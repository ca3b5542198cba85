//go:build linux

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fill leaves no byte on a disk, until the returned function is called.
func fill(t *testing.T, disk string) (empty func()) {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// On a disk without a byte to spare what is urgent is written and stays, over a
// restart too, and nothing else is; when there is room again, all is as before.
func TestWhatIsUrgentIsWrittenOnAFullDisk(t *testing.T) {
	disk := tinyDisk(t, "4m")
	j := open(t, disk, Options{})
	r := rec("a", "x", "running")
	r.Detail = strings.Repeat("d", 500)
	written := mustAppend(t, j, r)
	for round := range 5 {
		empty := fill(t, disk)
		for { // what it holds ahead is for everybody
			seq, err := j.Append([]Record{r})
			if err != nil {
				if !errors.Is(err, syscall.ENOSPC) {
					t.Fatal(err)
				}
				break
			}
			written = seq
		}
		if err := j.Sync(); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("round %d: Sync: %v", round, err)
		}
		for i := range 50 {
			seq, err := j.AppendUrgent([]Record{r}, Instance{Application: "a", Name: fmt.Sprint(i), Desired: "down"})
			if err != nil || seq != written+1 {
				t.Fatalf("round %d: record %d: %d, %v", round, i, seq, err)
			}
			written = seq
			if i == 25 {
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				j = open(t, disk, Options{})
			}
		}
		if err := j.Forget("a", "49"); err != nil {
			t.Errorf("round %d: Forget: %v", round, err)
		}
		if _, err := j.Append([]Record{r}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("round %d: Append: %v", round, err)
		}
		empty()
		written = mustAppend(t, j, r)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, disk, Options{})
	if recs := mustRead(t, j, Filter{}); uint64(len(recs)) != written {
		t.Errorf("%d records are there, %d were acknowledged", len(recs), written)
	}
}

// Among writes that come together only the urgent ones are done.
func TestOnlyWhatIsUrgentOfABatch(t *testing.T) {
	disk := tinyDisk(t, "2m")
	j := open(t, disk, Options{})
	mustAppend(t, j, rec("a", "x", "running"))
	defer fill(t, disk)()
	for err := error(nil); err == nil; _, err = j.Append([]Record{rec("a", "x", "running")}) {
	}
	before := len(mustRead(t, j, Filter{}))
	answers := make(chan bool, 64)
	for i := range cap(answers) {
		go func() {
			write := j.Append
			if i%2 == 0 {
				write = j.AppendUrgent
			}
			_, err := write([]Record{rec("a", "x", "stopped")})
			answers <- err == nil == (i%2 == 0)
		}()
	}
	for range cap(answers) {
		if !<-answers {
			t.Error("an urgent write failed, or another one did not")
		}
	}
	if n := len(mustRead(t, j, Filter{})) - before; n != cap(answers)/2 {
		t.Errorf("%d records were added, want %d", n, cap(answers)/2)
	}
}
