package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// at sets the writer's clock to n seconds.
func at(w *Writer, n int) { w.now = func() time.Time { return time.Unix(int64(n), 0) } }

func openAt(t testing.TB, dir string, s Stream) *Writer {
	t.Helper()
	w, err := OpenWriter(dir, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func TestReadMergesByTime(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	sources := []Source{{Name: "a", Dir: a}, {Name: "b", Dir: b}, {Name: "silent", Dir: filepath.Join(a, "none")}}
	writers := []*Writer{openAt(t, a, Out), openAt(t, a, Err), openAt(t, b, Out)}
	for i := range 9 {
		at(writers[i%3], 100+i)
		write(t, writers[i%3], fmt.Sprintf("line %d\n", i))
	}
	got := readAll(t, sources, Query{Tail: -1})
	for i, l := range got {
		if l.Text != fmt.Sprintf("line %d", i) || l.At.Unix() != int64(100+i) {
			t.Fatalf("line %d is %+v", i, l)
		}
	}
	if got[1].Stream != Err || got[2].Name != "b" || len(got) != 9 {
		t.Fatalf("%+v", got)
	}
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{Tail: 4}, "[line 5 line 6 line 7 line 8]"},
		{Query{Tail: 0}, "[]"},
		{Query{Tail: 99}, fmt.Sprint(texts(got))},
		{Query{Tail: -1, Stream: Err}, "[line 1 line 4 line 7]"},
		{Query{Tail: 2, Stream: Err}, "[line 4 line 7]"},
		{Query{Tail: -1, Since: time.Unix(106, 0)}, "[line 6 line 7 line 8]"},
		{Query{Tail: 2, Since: time.Unix(106, 0)}, "[line 7 line 8]"},
		{Query{Tail: -1, Since: time.Unix(999, 0)}, "[]"},
	} {
		if got := fmt.Sprint(texts(readAll(t, sources, c.q))); got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
	}
}

func TestAnIndexThatIsMissingForeignOrTornCostsNoLine(t *testing.T) {
	spoil := map[string]func(path string) error{
		"missing": os.Remove,
		"empty":   func(p string) error { return os.Truncate(p, 0) },
		"torn":    func(p string) error { return os.Truncate(p, headerSize+entrySize+5) },
		"foreign": func(p string) error { return os.WriteFile(p, append(indexHeader(1), make([]byte, 64)...), 0o600) },
		"garbage": func(p string) error {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			for i := headerSize; i < len(b); i++ {
				b[i] = byte(i * 37)
			}
			return os.WriteFile(p, b, 0o600)
		},
	}
	for name, fn := range spoil {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := openAt(t, dir, Out)
			for i := range 4 {
				at(w, 100+i)
				write(t, w, fmt.Sprintf("line %d\n", i))
			}
			if err := fn(indexPath(dir, Out, 0)); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(texts(readAll(t, []Source{{Dir: dir}}, Query{Tail: -1}))); got != "[line 0 line 1 line 2 line 3]" {
				t.Fatal(got)
			}
			again := openAt(t, dir, Out) // and a writer takes it over
			write(t, again, "line 4\n")
			if got := len(readAll(t, []Source{{Dir: dir}}, Query{Tail: 3})); got != 3 {
				t.Fatal(got)
			}
		})
	}
}

// Whatever was written, in whatever files: the lines read are the lines
// written, and a tail is their end.
func TestReadGivesTheLinesWritten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp("", "logs")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w, err := OpenWriter(dir, Out, Options{MaxSize: rapid.Int64Range(1, 50).Draw(r, "size"), MaxFiles: 900})
		if err != nil {
			r.Fatal(err)
		}
		defer w.Close()
		var text strings.Builder
		for range rapid.IntRange(0, 10).Draw(r, "writes") {
			s := rapid.StringMatching(`[a-c\n\x00]{0,30}`).Draw(r, "chunk")
			text.WriteString(s)
			_, _ = w.Write([]byte(s))
		}
		maxLine := rapid.IntRange(1, 12).Draw(r, "maxLine")
		tail := rapid.IntRange(-1, 8).Draw(r, "tail")
		var joined strings.Builder
		var lines []Line
		for l, err := range Read(ctx(), []Source{{Dir: dir}}, Query{Tail: -1, MaxLine: maxLine}) {
			if err != nil || len(l.Text) > maxLine {
				r.Fatal(l, err)
			}
			lines = append(lines, l)
			joined.WriteString(l.Text)
			if !l.Partial {
				joined.WriteByte('\n')
			}
		}
		want := text.String()
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if joined.String() != want {
			r.Fatalf("read %q, wrote %q", joined.String(), want)
		}
		if tail < 0 {
			return
		}
		var last []string
		for l, err := range Read(ctx(), []Source{{Dir: dir}}, Query{Tail: tail, MaxLine: maxLine}) {
			if err != nil {
				r.Fatal(err)
			}
			last = append(last, l.Text)
		}
		end := texts(lines[max(0, len(lines)-tail):])
		if whole := !strings.Contains(fmt.Sprint(lines), "true"); whole && fmt.Sprint(last) != fmt.Sprint(end) {
			r.Fatalf("tail %d is %q, want %q", tail, last, end)
		}
	})
}

func TestTailDoesNotReadWhatItDoesNotShow(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 1 << 20, MaxFiles: 50})
	line := strings.Repeat("x", 99) + "\n"
	for range 10 {
		write(t, w, strings.Repeat(line, 10_000))
	}
	s := &stream{source: Source{Dir: dir}, name: Out, maxLine: defaultMaxLine}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.seekTail(10)
	if left := s.segs[0].size - s.pos; len(s.segs) != 1 || left != 1000 {
		t.Fatalf("%d files and %d bytes are left to read", len(s.segs), left)
	}
}

func TestBinaryIsPreserved(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{})
	text := "\x00\xff\xfe\x1b[31m\r"
	write(t, w, text+"\nnext\n")
	got := readAll(t, []Source{{Dir: dir}}, Query{Tail: -1})
	if len(got) != 2 || got[0].Text != text || got[1].Text != "next" {
		t.Fatalf("%+v", got)
	}
}

func TestUnreadableSourceIsToldAndTheOthersGoOn(t *testing.T) {
	dir, bad := t.TempDir(), t.TempDir()
	write(t, openWriter(t, dir, Options{}), "fine\n")
	if err := os.Symlink("out.log", logPath(bad, Out, 0)); err != nil { // a loop
		t.Fatal(err)
	}
	var got []string
	for l, err := range Read(ctx(), []Source{{Name: "bad", Dir: bad}, {Name: "good", Dir: dir}}, Query{Tail: -1}) {
		got = append(got, fmt.Sprintf("%s%t", l.Text, err != nil))
	}
	if fmt.Sprint(got) != "[true finefalse]" {
		t.Fatalf("%q", got)
	}
}

// While the writer rotates as fast as it can, a listing has the files in the
// order they were written, none twice.
func TestListingIsInOrderDuringRotation(t *testing.T) {
	dir := t.TempDir()
	w := openWriter(t, dir, Options{MaxSize: 10, MaxFiles: 12})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; !isClosed(stop); i++ {
			_, _ = fmt.Fprintf(w, "%010d", i)
		}
	})
	defer wg.Wait()
	defer close(stop)
	s := &stream{source: Source{Dir: dir}, name: Out, maxLine: 100}
	for range 3000 {
		if err := s.open(); err != nil {
			t.Fatal(err)
		}
		last := -1
		for _, seg := range s.segs {
			b := make([]byte, 10)
			if n, _ := seg.file.ReadAt(b, 0); n < 10 {
				continue // just created
			}
			var i int
			if _, err := fmt.Sscanf(string(b), "%d", &i); err != nil {
				t.Fatal(err)
			}
			if i <= last {
				t.Fatalf("file %d is listed after file %d", i, last)
			}
			last = i
		}
		s.close()
	}
}
