package logs

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// newFIFO gives a FIFO's reading end, opened as the keeper does, and a way to
// open its writing end.
func newFIFO(t testing.TB) (r *os.File, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, path
}

// The bytes captured are the bytes written, in any chunks, over any rotation,
// through a pipe (moved in the kernel) and through a reader (copied).
func TestCaptureStoresExactlyWhatCame(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "logs")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w, err := OpenWriter(dir, Out, Options{MaxSize: rapid.Int64Range(1, 5000).Draw(r, "size"), MaxFiles: 100_000})
		if err != nil {
			r.Fatal(err)
		}
		defer w.Close()
		chunks := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 3000), 0, 8).Draw(r, "chunks")
		want := bytes.Join(chunks, nil)
		var tapped bytes.Buffer
		if rapid.Bool().Draw(r, "pipe") {
			pr, pw, err := os.Pipe()
			if err != nil {
				r.Fatal(err)
			}
			defer pr.Close()
			var wg sync.WaitGroup
			wg.Go(func() {
				for _, c := range chunks {
					_, _ = pw.Write(c)
				}
				_ = pw.Close()
			})
			err = Capture(pr, w, nil, nil, &tapped)
			wg.Wait()
			if err != nil {
				r.Fatal(err)
			}
		} else if err := Capture(iotest.OneByteReader(bytes.NewReader(want)), w, nil, nil, &tapped); err != nil {
			r.Fatal(err)
		}
		if got, _ := stored(t, dir, Out); !bytes.Equal(got, want) || !bytes.Equal(tapped.Bytes(), want) {
			r.Fatalf("stored %d, tapped %d, wrote %d bytes", len(got), tapped.Len(), len(want))
		}
	})
}

func TestCaptureOffersTheFirstLine(t *testing.T) {
	long := strings.Repeat("x", maxFirst+1) + "\n"
	for _, c := range []struct {
		name, in, offered, stored string
		swallow                   bool
	}{
		{"swallowed", "1|1|unix|s|grpc\nlog\n", "1|1|unix|s|grpc", "log\n", true},
		{"not taken", "hello\nlog\n", "hello", "hello\nlog\n", false},
		{"empty line", "\nlog\n", "", "log\n", true},
		{"no line at all", "abc", "-", "abc", true},
		{"nothing", "", "-", "", true},
		{"too long", long + "log\n", long[:maxFirst], long + "log\n", true},
		{"longest", long[1:], long[1 : len(long)-1], "", true},
	} {
		for _, kind := range []string{"pipe", "reader"} {
			t.Run(c.name+" "+kind, func(t *testing.T) {
				dir := t.TempDir()
				w := openWriter(t, dir, Options{})
				var r io.Reader = iotest.HalfReader(strings.NewReader(c.in))
				var wg sync.WaitGroup
				defer wg.Wait()
				if kind == "pipe" {
					pr, pw, err := os.Pipe()
					if err != nil {
						t.Fatal(err)
					}
					defer pr.Close()
					wg.Go(func() {
						half := len(c.in) / 2
						_, _ = io.WriteString(pw, c.in[:half])
						_, _ = io.WriteString(pw, c.in[half:])
						_ = pw.Close()
					})
					r = pr
				}
				offered := "-"
				err := Capture(r, w, nil, func(line string) bool { offered = line; return c.swallow })
				if err != nil || offered != c.offered {
					t.Fatalf("offered %.40q, want %.40q (%v)", offered, c.offered, err)
				}
				if got, _ := stored(t, dir, Out); string(got) != c.stored {
					t.Fatalf("stored %d bytes %.40q, want %d %.40q", len(got), got, len(c.stored), c.stored)
				}
			})
		}
	}
}

// A grandchild that keeps the pipe open, and even floods it, delays nothing:
// stop stores what is there and returns.
func TestStopDrainsWithoutWaiting(t *testing.T) {
	r, path := newFIFO(t)
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxFiles: 100})
	holder, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	stop := make(chan struct{})
	close(stop)
	if _, err := holder.WriteString("last words\n"); err != nil {
		t.Fatal(err)
	}
	if err := Capture(r, w, stop, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := stored(t, dir, Out); string(got) != "last words\n" {
		t.Fatalf("%q", got)
	}
	var flood sync.WaitGroup
	flood.Go(func() {
		for b := make([]byte, 4096); ; {
			if _, err := holder.Write(b); err != nil {
				return
			}
		}
	})
	if err := Capture(r, w, stop, nil); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	flood.Wait()
}

func TestStopEndsAWaitingCapture(t *testing.T) {
	r, path := newFIFO(t)
	holder, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	for _, first := range []func(string) bool{nil, func(string) bool { return true }} {
		w := openWriter(t, t.TempDir(), Options{})
		stop, seen := make(chan struct{}), make(tapFunc, 10)
		done := make(chan error, 1)
		go func() { done <- Capture(r, w, stop, first, seen) }()
		if _, err := holder.WriteString("handshake\nbegun"); err != nil {
			t.Fatal(err)
		}
		<-seen
		close(stop)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := r.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

// What comes through a pipe is dated when it comes, and read back so.
func TestCapturedLinesAreDated(t *testing.T) {
	r, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 10})
	clock := make(chan time.Time, 1)
	w.now = func() time.Time { now := <-clock; clock <- now; return now }
	clock <- time.Unix(100, 0)
	seen := make(tapFunc, 10)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := Capture(r, w, nil, nil, seen); err != nil {
			t.Error(err)
		}
	})
	for i, s := range []string{"one\nhal", "f\n", "three\n"} {
		<-clock
		clock <- time.Unix(int64(100+i), 0)
		if _, err := io.WriteString(pw, s); err != nil {
			t.Fatal(err)
		}
		for left := len(s); left > 0; left -= <-seen {
		}
	}
	_ = pw.Close()
	wg.Wait()
	var got []int64
	for _, l := range readAll(t, []Source{{Dir: dir}}, Query{Tail: -1}) {
		got = append(got, l.At.Unix())
	}
	if fmt.Sprint(got) != "[100 100 102]" {
		t.Fatalf("lines are dated %v", got)
	}
}

// A capture that was stopped goes on where it was with the next one: nothing
// is lost or doubled, at any place of any line.
func TestTakeoverLosesNothing(t *testing.T) {
	r, path := newFIFO(t)
	dir := t.TempDir()
	holder, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 3<<20)
	for i := range want {
		want[i] = byte(rand.Uint32())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer holder.Close()
		for b := want; len(b) > 0; {
			n := min(len(b), 1+rand.IntN(9000))
			if _, err := holder.Write(b[:n]); err != nil {
				t.Error(err)
			}
			b = b[n:]
		}
	})
	for total := 0; total < len(want); {
		w := openWriter(t, dir, Options{MaxSize: 100_000, MaxFiles: 1000})
		stop, seen := make(chan struct{}), make(tapFunc, 1<<16)
		done := make(chan error, 1)
		go func() { done <- Capture(r, w, stop, nil, seen) }()
		total += <-seen
		close(stop)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		close(seen)
		for n := range seen {
			total += n
		}
		_ = w.Close()
	}
	wg.Wait()
	if got, _ := stored(t, dir, Out); !bytes.Equal(got, want) {
		t.Fatalf("stored %d bytes, wrote %d", len(got), len(want))
	}
}

// tapFunc tells the sizes of what was captured.
type tapFunc chan int

func (t tapFunc) Write(b []byte) (int, error) { t <- len(b); return len(b), nil }
