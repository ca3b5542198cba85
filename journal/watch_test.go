package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestWatchGoesFromDiskToLive(t *testing.T) {
	j := open(t, t.TempDir(), Options{Keep: 10_000})
	for range 2 * watchPage {
		mustAppend(t, j, rec("a", "x", "running"), rec("a", "other", "running"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writer sync.WaitGroup
	defer writer.Wait()
	n := 0
	for r, err := range j.Watch(ctx, Filter{Application: "a", Name: "x", Since: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(3 + 2*n); r.Seq != want {
			t.Fatalf("seq %d, want %d", r.Seq, want)
		}
		n++
		if n == 2*watchPage-1 {
			writer.Go(func() {
				for range 3 {
					mustAppend(t, j, rec("a", "x", "live"), rec("a", "other", "live"))
				}
			})
		}
		if n == 2*watchPage+2 {
			cancel()
		}
	}
	if n != 2*watchPage+2 {
		t.Fatalf("%d records", n)
	}
}

func TestWatchLast(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	mustAppend(t, j, rec("a", "x", "1"), rec("a", "x", "2"), rec("a", "x", "3"))
	var got []uint64
	for r, err := range j.Watch(t.Context(), Filter{Last: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Seq)
		if len(got) == 2 {
			mustAppend(t, j, rec("a", "x", "4"))
		}
		if r.Seq == 4 {
			break
		}
	}
	if fmt.Sprint(got) != "[2 3 4]" {
		t.Fatal(got)
	}
}

func TestSlowWatcherIsToldOfWhatAgedOut(t *testing.T) {
	j := open(t, t.TempDir(), Options{Keep: 3})
	mustAppend(t, j, rec("a", "x", "first"), rec("a", "y", "first"))
	var got []string
	for r, err := range j.Watch(t.Context(), Filter{Name: "x"}) {
		var gap *GapError
		switch {
		case errors.As(err, &gap):
			got = append(got, fmt.Sprintf("gap %d-%d", gap.After, gap.Before))
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, fmt.Sprint(r.Seq))
		}
		if r.Seq == 1 { // slow: meanwhile ten more come, three of which stay
			for range 10 {
				mustAppend(t, j, rec("a", "x", "more"))
			}
		}
		if r.Seq == 12 {
			break
		}
	}
	if fmt.Sprint(got) != "[1 gap 2-10 10 11 12]" {
		t.Fatal(got)
	}
}

func TestWatchEndsWithClose(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	mustAppend(t, j, rec("a", "x", "1"))
	var last error
	for _, err := range j.Watch(t.Context(), Filter{}) {
		if last = err; err == nil {
			go func() { _ = j.Close() }()
		}
	}
	if !errors.Is(last, ErrClosed) {
		t.Fatal(last)
	}
}
