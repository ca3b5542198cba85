package logs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Random chunks over random file sizes, with reopening in between: the files
// hold exactly the bytes written, each file but the current one is full, and
// no more files are kept than asked for.
func TestRotationLosesAndDoublesNoByte(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "logs")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		o := Options{MaxSize: rapid.Int64Range(1, 40).Draw(r, "size"), MaxFiles: rapid.IntRange(1, 5).Draw(r, "files")}
		w, err := OpenWriter(dir, Out, o)
		if err != nil {
			r.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		var wrote []byte
		for range rapid.IntRange(0, 15).Draw(r, "writes") {
			b := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(r, "chunk")
			wrote = append(wrote, b...)
			if n, err := w.Write(b); n != len(b) || err != nil {
				r.Fatal(n, err)
			}
			if rapid.IntRange(0, 5).Draw(r, "reopen") == 0 {
				_ = w.Close()
				if w, err = OpenWriter(dir, Out, o); err != nil {
					r.Fatal(err)
				}
			}
		}
		all, sizes := stored(t, dir, Out)
		if !bytes.HasSuffix(wrote, all) {
			r.Fatalf("files hold %q, written %q", all, wrote)
		}
		if want := min(int64(len(wrote)), o.MaxSize*int64(o.MaxFiles-1)+1); int64(len(all)) < want {
			r.Fatalf("%d bytes kept, expected %d at least", len(all), want)
		}
		for i, n := range sizes {
			if i > 0 && int64(n) != o.MaxSize || int64(n) > o.MaxSize || i >= o.MaxFiles {
				r.Fatalf("file sizes %v, options %+v", sizes, o)
			}
		}
	})
}

func TestLoweredMaxFilesDropsTheOldest(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 2, MaxFiles: 5})
	write(t, w, "aabbccddee")
	_ = w.Close()
	write(t, openWriter(t, dir, Options{MaxSize: 2, MaxFiles: 2}), "f")
	if all, _ := stored(t, dir, Out); string(all) != "eef" {
		t.Fatalf("%q", all)
	}
}

// A rotation cut short by a crash leaves a hole; the next one fills it.
func TestRotationAfterOneCutShort(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 2, MaxFiles: 4})
	write(t, w, "aabbcc")
	_ = w.Close()
	if err := os.Rename(logPath(dir, Out, 2), logPath(dir, Out, 3)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(logPath(dir, Out, 1), logPath(dir, Out, 2)); err != nil {
		t.Fatal(err)
	}
	write(t, openWriter(t, dir, Options{MaxSize: 2, MaxFiles: 4}), "d")
	if all, _ := stored(t, dir, Out); string(all) != "aabbccd" {
		t.Fatalf("%q", all)
	}
}

func TestRemovedAndRenamedFilesAreReopened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orders", "ticker")
	w := openWriter(t, dir, Options{})
	write(t, w, "one\n")
	if err := os.Rename(logPath(dir, Out, 0), filepath.Join(dir, "kept")); err != nil {
		t.Fatal(err)
	}
	write(t, w, "two\n")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, w, "three\n")
	if err := os.Truncate(logPath(dir, Out, 0), 0); err != nil {
		t.Fatal(err)
	}
	write(t, w, "four\n")
	if all, _ := stored(t, dir, Out); string(all) != "four\n" {
		t.Fatalf("%q", all)
	}
	if n, err := w.Dropped(); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}

func TestClearBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 4})
	write(t, w, "aaaabbbbcc")
	if err := w.Clear(); err != nil {
		t.Fatal(err)
	}
	write(t, w, "new")
	if all, sizes := stored(t, dir, Out); string(all) != "new" || len(sizes) != 1 {
		t.Fatalf("%q %v", all, sizes)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
}

// The disk refuses (a folder stands where the file should be): bytes are
// counted; when it accepts again, a marker says so and storing goes on.
func TestRefusedBytesAreCountedAndMarked(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{})
	write(t, w, "begun")
	if err := os.Remove(logPath(dir, Out, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(logPath(dir, Out, 0), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, w, "lost\n")
	write(t, w, "lost too\n")
	if n, err := w.Dropped(); n != 14 || err == nil {
		t.Fatal(n, err)
	}
	if err := os.Remove(logPath(dir, Out, 0)); err != nil {
		t.Fatal(err)
	}
	write(t, w, "kept\n")
	all, _ := stored(t, dir, Out)
	if got := string(all); !strings.HasPrefix(got, "[peerd: 14 bytes") || !strings.HasSuffix(got, "]\nkept\n") {
		t.Fatalf("%q", got)
	}
	write(t, w, "more\n")
	if again, _ := stored(t, dir, Out); string(again) != string(all)+"more\n" {
		t.Fatalf("%q", again)
	}
}

// A Writer that goes on for another says what that one could not store, and
// that it is over.
func TestALossIsHandedOver(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(logPath(dir, Out, 0), 0o700); err != nil {
		t.Fatal(err)
	}
	w := ResumeWriter(dir, Out, Options{}, Loss{Dropped: 3}) // earlier, and told
	var told []string
	listen := func(n int64, why string) { told = append(told, fmt.Sprint(n, " ", why)) }
	w.Listen(listen)
	write(t, w, "lost\n")
	l := w.Loss()
	_ = w.Close()
	w = ResumeWriter(dir, Out, Options{}, l)
	w.Listen(listen)
	write(t, w, "lost too\n")
	if n, err := w.Dropped(); n != 17 || err == nil {
		t.Error(n, err)
	}
	if err := os.Remove(logPath(dir, Out, 0)); err != nil {
		t.Fatal(err)
	}
	write(t, w, "kept\n")
	_ = w.Close()
	all, _ := stored(t, dir, Out)
	if got := string(all); !strings.HasPrefix(got, "[peerd: 14 bytes") || !strings.HasSuffix(got, "]\nkept\n") {
		t.Errorf("%q", got)
	}
	if len(told) != 2 || !strings.HasPrefix(told[0], "8 ") || told[1] != "17 " {
		t.Errorf("told %q", told)
	}
}

func TestBadStreamIsRefused(t *testing.T) {
	if _, err := OpenWriter(t.TempDir(), "both", Options{}); err == nil {
		t.Fatal("accepted")
	}
	for _, err := range Read(t.Context(), nil, Query{Stream: "both"}) {
		if err == nil {
			t.Fatal("accepted")
		}
	}
}

func ExampleWriter() {
	dir, _ := os.MkdirTemp("", "logs")
	defer os.RemoveAll(dir)
	w, err := OpenWriter(dir, Out, Options{MaxSize: 1 << 20})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(w, "2026-11-22T07:00:00.000Z [INFO]  ticker: connected: to=10.0.0.1")
	_ = w.Close()
	for line, err := range Read(ctx(), []Source{{Name: "ticker", Dir: dir}}, Query{Tail: 10}) {
		fmt.Println(line.Name, line.Level, line.Logger, line.Message, err)
	}
	// Output: ticker info ticker connected <nil>
}
