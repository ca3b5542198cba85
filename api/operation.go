package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// Media types that a client can ask for.
const (
	typeJSON   = "application/json"
	typeSSE    = "text/event-stream"
	typeNDJSON = "application/x-ndjson"
)

// operation turns a request into a command of the operation's type and its
// replies into the response.
func (s *Server) operation(op control.Operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = s.metrics.count(w, op.Type)
		if err := op.Permit(control.CallerFrom(r.Context())); err != nil {
			writeErr(w, err)
			return
		}
		payload, err := decodeRequest(op, w, r)
		if err != nil {
			writeErr(w, err)
			return
		}
		cmd := exchange.Command{ID: exchange.NewID(), Type: op.Type, Payload: payload, TraceParent: r.Header.Get("traceparent")}
		if f, ok := streamFormat(op, r); ok {
			s.stream(w, r, cmd, f)
			return
		}
		reply := s.opts.Commands.Dispatch(r.Context(), cmd, nil)
		if err := control.ReplyError(reply); err != nil {
			writeErr(w, err)
			return
		}
		writeJSON(w, http.StatusOK, orEmpty(reply.Payload))
	})
}

// streamFormat says whether and how the replies are streamed: an endless
// operation always, one with intermediate replies when the client asks.
func streamFormat(op control.Operation, r *http.Request) (format, bool) {
	accept := r.Header.Get("Accept")
	switch {
	case op.Progress == nil:
		return nil, false
	case strings.Contains(accept, typeNDJSON):
		return ndjson{}, true
	case op.Stream || strings.Contains(accept, typeSSE):
		return sse{items: op.Stream, numbered: op.Type == control.OpEvents}, true
	default:
		return nil, false
	}
}

// orEmpty is a reply's payload, {} where it has none.
func orEmpty(payload json.RawMessage) json.RawMessage {
	if len(payload) == 0 {
		return json.RawMessage("{}")
	}
	return payload
}

// failure is the body of every response that is no success.
type failure struct {
	Error *control.Error `json:"error"`
}

func writeErr(w http.ResponseWriter, err error) {
	e := control.AsError(err)
	writeError(w, e.Code.HTTPStatus(), e)
}

func writeError(w http.ResponseWriter, status int, e *control.Error) {
	writeJSON(w, status, failure{e})
}

// writeJSON writes v as one line. A failed write means that the client has
// gone; nobody is left to tell.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status = http.StatusInternalServerError
		b, _ = json.Marshal(failure{control.Errorf(control.CodeFailed, "cannot encode the answer: %v", err)})
	}
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
