package logs

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const floodChunk = 64 << 10

// flood writes n bytes into a pipe and hands out its reading end.
func flood(b *testing.B, n int, drain func(r *os.File)) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		chunk := []byte(strings.Repeat("a line of output of some hundred bytes or so, as programs write them in their daily work, over all\n", floodChunk/100))
		for left := n; left > 0; left -= len(chunk) {
			if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
				b.Error(err)
				return
			}
		}
		_ = w.Close()
	})
	drain(r)
	wg.Wait()
}

// 1 GiB out of a pipe into rotated files, against bare io.Copy into one file
// that is cut back every 40 MiB, so that both keep as much.
func BenchmarkFlood(b *testing.B) {
	const size = 1 << 30
	b.Run("Capture", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			w := openWriter(b, b.TempDir(), Options{})
			flood(b, size, func(r *os.File) {
				if err := Capture(r, w, nil, nil); err != nil {
					b.Fatal(err)
				}
			})
		}
	})
	b.Run("Capture of a reader", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			w := openWriter(b, b.TempDir(), Options{})
			flood(b, size, func(r *os.File) {
				if err := Capture(struct{ io.Reader }{r}, w, nil, nil); err != nil {
					b.Fatal(err)
				}
			})
		}
	})
	b.Run("io.Copy", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Create(filepath.Join(b.TempDir(), "out"))
			if err != nil {
				b.Fatal(err)
			}
			flood(b, size, func(r *os.File) {
				for err == nil {
					_, err = io.CopyN(f, struct{ io.Reader }{r}, 40<<20)
					_ = f.Truncate(0)
					_, _ = f.Seek(0, io.SeekStart)
				}
			})
			_ = f.Close()
		}
	})
}

// Short lines one by one: what a write costs.
func BenchmarkWriteLine(b *testing.B) {
	w := openWriter(b, b.TempDir(), Options{})
	line := []byte("2026-11-22T07:03:03.123Z [INFO]  ticker: connected: to=10.0.0.1\n")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, _ = w.Write(line)
	}
}

func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	w := openWriter(b, dir, Options{})
	for i := range 400_000 {
		fmt.Fprintf(w, "2026-11-22T07:03:03.123Z [INFO]  ticker: line of output: n=%d and=more\n", i)
	}
	for _, tail := range []int{10, -1} {
		b.Run(fmt.Sprintf("tail=%d", tail), func(b *testing.B) {
			for b.Loop() {
				for _, err := range Read(ctx(), []Source{{Dir: dir}}, Query{Tail: tail}) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
