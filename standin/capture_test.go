package standin

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestCaptureBeginsWithTheHandshake(t *testing.T) {
	const line = "1|1|unix|/run/p/s|grpc"
	for name, c := range map[string]struct{ in, want string }{
		"at once":            {line + "\r\nup\r\n", line + "\nup\n"},
		"after a banner":     {"Type 'help'\r\n" + line + "\r\nup\r\n", line + "\nup\n"},
		"behind a prompt":    {"(dlv) " + line + "\r\nup\r\n", line + "\nup\n"},
		"never":              {"no | such | thing\r\n", ""},
		"after a long line":  {strings.Repeat("x", 3*maxGreeting) + "\n" + line + "\n", line + "\n"},
		"not yet a line":     {line, ""},
		"another transport":  {"1|1|tcp|127.0.0.1:1|grpc\n", ""},
		"more fields follow": {line + "||x\nup\n", line + "||x\nup\n"},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			var got bytes.Buffer
			w := &capture{to: &got}
			for in := []byte(c.in); len(in) > 0; {
				n := min(size, len(in))
				if m, err := w.Write(in[:n]); m != n || err != nil {
					t.Fatalf("%s: wrote %d, %v", name, m, err)
				}
				in = in[n:]
			}
			if plain := strings.ReplaceAll(got.String(), "\r", ""); plain != c.want {
				t.Errorf("%s, %d bytes at a time: got %q, want %q", name, size, plain, c.want)
			}
		}
	}
}

type broken struct{ writes int }

func (b *broken) Write([]byte) (int, error) {
	b.writes++
	return 0, errors.New("gone")
}

// The person goes on seeing what a component prints when its log is gone.
func TestCaptureOutlivesTheLog(t *testing.T) {
	b := &broken{}
	c := &capture{to: b}
	for range 3 {
		if n, err := c.Write([]byte("1|1|unix|/s|grpc\n")); n != 17 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	if b.writes != 1 {
		t.Errorf("%d writes to what is gone, want 1", b.writes)
	}
}
