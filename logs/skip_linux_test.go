package logs

import (
	"os"
	"testing"
)

// A line is skipped where it comes next as a whole, and nowhere else.
func TestSkip(t *testing.T) {
	for there, left := range map[string]string{
		"":                 "",
		"hello\n":          "",
		"hello\nworld\n":   "world\n",
		"hello":            "hello",
		"hello you\n":      "hello you\n",
		"well\nhello\n":    "well\nhello\n",
		"hello\nhello\n\n": "hello\n\n",
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(there); err != nil {
			t.Fatal(err)
		}
		if err := Skip(r, "hello"); err != nil {
			t.Errorf("%q: %v", there, err)
		}
		_ = w.Close()
		got := make([]byte, 100)
		n, _ := r.Read(got)
		if string(got[:n]) != left {
			t.Errorf("of %q, %q is left, want %q", there, got[:n], left)
		}
		_ = r.Close()
	}
}
