package logs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// follower collects what a following Read yields.
type follower struct {
	lines chan Line
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func follow(t *testing.T, dir string, q Query) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{lines: make(chan Line, 100_000), stop: cancel}
	q.Follow = true
	f.wg.Go(func() {
		for l, err := range Read(ctx, []Source{{Name: "a", Dir: dir}}, q) {
			if err != nil {
				t.Error(err)
			}
			f.lines <- l
		}
	})
	t.Cleanup(func() { cancel(); f.wg.Wait() })
	return f
}

func (f *follower) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case l := <-f.lines:
		if l.Text != want {
			t.Fatalf("read %q, want %q", l.Text, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%q does not come", want)
	}
}

// expectWhole is expect for a line whose end may come late: it is shown in
// pieces then.
func (f *follower) expectWhole(t *testing.T, want string) {
	t.Helper()
	text := ""
	for {
		select {
		case l := <-f.lines:
			text += l.Text
			if l.Partial {
				continue
			}
			if text != want {
				t.Fatalf("read %q, want %q", text, want)
			}
			return
		case <-time.After(20 * time.Second):
			t.Fatalf("%q does not come", want)
		}
	}
}

func TestFollowGoesOnAcrossEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	f := follow(t, dir, Query{Tail: -1})
	w := openWriter(t, dir, Options{MaxSize: 30, MaxFiles: 5})
	for i := range 12 { // over several rotations
		write(t, w, fmt.Sprintf("line %d\n", i))
		f.expect(t, fmt.Sprintf("line %d", i))
	}
	_ = w.Close() // restart
	w = openWriter(t, dir, Options{MaxSize: 30, MaxFiles: 5})
	write(t, w, "restarted\n")
	f.expect(t, "restarted")
	if err := os.Remove(logPath(dir, Out, 0)); err != nil {
		t.Fatal(err)
	}
	write(t, w, "removed\n")
	f.expect(t, "removed")
	if err := w.Clear(); err != nil {
		t.Fatal(err)
	}
	write(t, w, "cleared\n")
	f.expect(t, "cleared")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, w, "all gone\n")
	f.expect(t, "all gone")
	write(t, w, "a prompt: ")
	f.expect(t, "a prompt: ")
	write(t, w, "answer\n")
	f.expect(t, "answer")
}

func TestFollowKeepsUpWithRotation(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 1000, MaxFiles: 900})
	f := follow(t, dir, Query{Tail: -1})
	const n = 20_000
	for i := range n {
		write(t, w, fmt.Sprintf("line %d\n", i))
	}
	for i := range n {
		f.expect(t, fmt.Sprintf("line %d", i))
	}
}

func TestFollowerTooSlowForTheRotationIsTold(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 10, MaxFiles: 3})
	write(t, w, "line 0001\n")
	s := &stream{source: Source{Dir: dir}, name: Out, maxLine: 100}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for i := 2; i < 9; i++ {
		write(t, w, fmt.Sprintf("line %04d\n", i))
	}
	if err := s.grow(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for s.next() {
		got = append(got, s.head.Text)
		s.ready = false
	}
	if want := []string{"line 0001", lostText, "line 0006", "line 0007", "line 0008"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%q", got)
	}
}
