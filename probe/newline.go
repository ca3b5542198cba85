package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// WaitNewline waits until a newline comes through r, the reading end of a
// pipe whose writing end the component has as its readiness descriptor. What
// comes before the newline is ignored. It returns nil then; an error when the
// pipe is closed without one, and ctx's when that ends first. r stays open.
// It blocks, in a goroutine of the caller.
func WaitNewline(ctx context.Context, r *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, 512)
	for {
		n, err := r.Read(b)
		switch {
		case bytes.IndexByte(b[:n], '\n') >= 0:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return errors.New("the readiness descriptor was closed without a newline")
		case err != nil:
			return fmt.Errorf("cannot read the readiness descriptor: %w", err)
		}
	}
}
