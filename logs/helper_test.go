package logs

import (
	"bytes"
	"context"
	"os"
	"testing"
)

func openWriter(t testing.TB, dir string, o Options) *Writer {
	t.Helper()
	w, err := OpenWriter(dir, Out, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func write(t testing.TB, w *Writer, s string) {
	t.Helper()
	if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatal(n, err)
	}
}

// stored is all bytes of the stream's files, oldest first, and their sizes,
// newest first.
func stored(t testing.TB, dir string, s Stream) (all []byte, sizes []int) {
	t.Helper()
	for n := 0; ; n++ {
		b, err := os.ReadFile(logPath(dir, s, n))
		if os.IsNotExist(err) {
			return all, sizes
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(bytes.Clone(b), all...)
		sizes = append(sizes, len(b))
	}
}

func readAll(t testing.TB, sources []Source, q Query) []Line {
	t.Helper()
	var lines []Line
	for l, err := range Read(t.Context(), sources, q) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

func texts(lines []Line) []string {
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		out = append(out, l.Text)
	}
	return out
}

func ctx() context.Context { return context.Background() }
