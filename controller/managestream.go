package controller

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// streamType is what a caller accepts that wants the intermediate replies too.
const streamType = "application/x-ndjson"

// stallTime is how long a caller may take no bytes before its stream ends.
const stallTime = 30 * time.Second

func wantsStream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), streamType)
}

// stream sends a command and answers with each of its replies as a line of JSON,
// the terminal one last. What ends it without one is {"error":{code, message}}.
// When the caller goes, the command is cancelled.
func (m *management) stream(ctx context.Context, q request, target string, cmd exchange.Command, how Choice) (any, error) {
	lines := json.NewEncoder(q.w)
	out := http.NewResponseController(q.w)
	begun := false
	write := func(v any) error {
		if !begun {
			begun = true
			q.w.Header().Set("Content-Type", streamType)
			q.w.Header().Set("Cache-Control", "no-store")
		}
		_ = out.SetWriteDeadline(time.Now().Add(stallTime)) // not every ResponseWriter has one
		if err := lines.Encode(v); err != nil {
			return err
		}
		return out.Flush()
	}
	reply, err := m.c.Stream(ctx, target, cmd, how, func(r exchange.Reply) error { return write(r) })
	switch {
	case err == nil:
		_ = write(reply) // the caller has gone: nobody to tell
	case !begun:
		return nil, err
	default:
		_ = write(map[string]errorJSON{"error": {statusOf(err), err.Error()}})
	}
	return sent{}, nil
}
