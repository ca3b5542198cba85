package exchange

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A command that is refused as too late, though its caller's time is not over,
// met a wall clock that was set meanwhile: it was not run, and is sent again by
// the new clock. Where the two clocks differ for good, that has an end.
func TestRefusedAsLateIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		late    int // so often
		expires time.Duration
		calls   int
		done    bool
	}{
		"once":                    {late: 1, calls: 2, done: true},
		"for ever":                {late: 99, calls: 1 + maxLate},
		"by its own deadline":     {late: 99, expires: time.Second, calls: 1},
		"with a deadline in time": {late: 0, expires: time.Second, calls: 1, done: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				mux := &Mux{}
				mux.Handle("X", func(context.Context, *Request) (any, error) {
					if calls++; calls <= c.late {
						return nil, errors.New(expiredReply(&Command{ExpiresAt: new(time.Time)}).ErrorDetails)
					}
					return struct{}{}, nil
				})
				p, stop := newPair(t, [2]Options{{}, {Handlers: mux}})
				defer stop()
				cmd := Command{Type: "X"}
				if c.expires > 0 {
					at := time.Now().Add(c.expires)
					cmd.ExpiresAt = &at
				}
				reply, err := p.ends[0].Call(t.Context(), cmd)
				if err != nil || (reply.Err() == nil) != c.done || calls != c.calls {
					t.Errorf("%d calls, %v, %v", calls, reply, err)
				}
			})
		})
	}
}
