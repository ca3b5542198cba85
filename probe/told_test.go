package probe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestWaitNewline(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{`printf 'a'; printf 'b\n'; read x`, ""},
		{`printf 'no newline'`, "without a newline"},
		{`exit 0`, "without a newline"},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", c.script)
		cmd.Stdout = w
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		err = WaitNewline(t.Context(), r)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.script, err)
		}
		_ = in.Close()
		_ = cmd.Wait()
		_ = r.Close()
	}
}

func TestWaitNewlineEndsWithItsContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- WaitNewline(ctx, r) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
