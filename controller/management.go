package controller

import (
	"bytes"
	_ "embed" // the document
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
	"github.com/seed-04209a44/peerd/exchange/websocket"
)

// document describes the paths of Management.
//
//go:embed openapi.json
var document json.RawMessage

// OpenAPI returns the description of Management's paths, an OpenAPI 3.0
// document in JSON.
func OpenAPI() []byte { return slices.Clone(document) }

// Command types by which the rules of Access allow what is no command of a
// target's own.
const (
	ActionRead  = "exchange:read"  // see targets, channels, batches and events; its target is ""
	ActionKick  = "exchange:kick"  // end a channel
	ActionBatch = "exchange:batch" // cancel or retry a batch
)

// ManagementOptions of a Controller.
type ManagementOptions struct {
	Disabled bool
	// Caller tells who sent a request, as Options.Authenticate does for
	// connectors. nil is anybody, which Access may refuse.
	Caller func(*http.Request) (Identity, error)
}

// maxBody bounds the body of a request.
const maxBody = 16 << 20

// Management serves what there is to see and to do about targets, channels and
// batches, at /exchange, or at /exchange/<identifier> unless that is the
// default. Put authentication in front of it, or set ManagementOptions.Caller.
func (c *Controller) Management() http.Handler {
	m := &management{c: c, mux: http.NewServeMux(), base: "/exchange", served: make(map[string]bool)}
	if c.o.Identifier != DefaultIdentifier {
		m.base += "/" + c.o.Identifier
	}
	if c.o.Management.Disabled {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fail(w, http.StatusNotFound, "not found") })
	}
	m.routes()
	return m
}

// management is the HTTP face of a controller.
type management struct {
	c      *Controller
	mux    *http.ServeMux
	base   string
	served map[string]bool // patterns, below base
}

func (m *management) routes() {
	m.handle("GET /targets", m.targets)
	m.handle("GET /targets/{id}", m.target)
	m.handle("GET /targets/{id}/channels", m.targetChannels)
	m.handle("GET /channels", m.channels)
	m.handle("GET /channels/{id}", m.channel)
	m.handle("POST /targets/{id}/commands", m.send)
	m.handle("DELETE /channels/{id}", m.kick)
	m.handle("GET /events", m.follow)
	m.handle("GET /openapi.json", func(request) (any, error) { return document, nil })
	if m.c.o.Batches.Disabled {
		return
	}
	m.handle("GET /targets/{id}/batchs", m.targetBatches)
	m.handle("GET /batchs", m.batches)
	m.handle("GET /batchs/{id}", m.batch)
	m.handle("POST /targets/{id}/batchs", m.execute)
	m.handle("DELETE /batchs/{id}", m.cancel)
	m.handle("POST /batchs/{id}/retry", m.retry)
}

// request is one request whose caller is known.
type request struct {
	*http.Request
	w   http.ResponseWriter
	who Identity
}

// handle registers what serves a method and a path below the base. What serve
// returns is the body, or the error.
func (m *management) handle(pattern string, serve func(request) (any, error)) {
	method, path, _ := strings.Cut(pattern, " ")
	m.served[pattern] = true
	m.mux.HandleFunc(method+" "+m.base+path, func(w http.ResponseWriter, r *http.Request) {
		q := request{Request: r, w: w}
		var err error
		if m.c.o.Management.Caller != nil {
			if q.who, err = m.c.o.Management.Caller(r); err != nil {
				m.c.refused(r, http.StatusUnauthorized, err)
				fail(w, http.StatusUnauthorized, "unauthorized")
				return
			}
		}
		if method == http.MethodGet && !m.c.o.Access.Send(q.who, "", ActionRead) {
			m.c.event(Event{Kind: CommandRefused, Identity: q.who.Name, Detail: ActionRead})
			fail(w, http.StatusForbidden, ErrRefused.Error())
			return
		}
		q.answer(serve)
	})
}

// ServeHTTP implements http.Handler.
func (m *management) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := m.mux.Handler(r); pattern == "" {
		fail(w, http.StatusNotFound, "nothing here for "+r.Method+" "+r.URL.Path)
		return
	}
	m.mux.ServeHTTP(w, r)
}

// sent is a body that has been written already.
type sent struct{}

func (q request) answer(serve func(request) (any, error)) {
	body, err := serve(q)
	if err != nil {
		fail(q.w, statusOf(err), err.Error())
		return
	}
	status := http.StatusOK
	switch b := body.(type) {
	case sent:
		return
	case accepted:
		status, body = http.StatusAccepted, b.body
	}
	write(q.w, status, body)
}

// accepted is a body of what is not done yet.
type accepted struct{ body any }

func write(w http.ResponseWriter, status int, body any) {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(body); err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data.Bytes()) // the caller has gone: nobody to tell
}

func fail(w http.ResponseWriter, code int, message string) {
	write(w, code, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

// httpError is an error with the status it is answered with.
type httpError struct {
	code int
	text string
}

func (e *httpError) Error() string { return e.text }

func notFound(format string, v ...any) error {
	return &httpError{http.StatusNotFound, fmt.Sprintf(format, v...)}
}

func badRequest(format string, v ...any) error {
	return &httpError{http.StatusBadRequest, fmt.Sprintf(format, v...)}
}

func statusOf(err error) int {
	var known *httpError
	if errors.As(err, &known) {
		return known.code
	}
	for _, c := range []struct {
		err  error
		code int
	}{
		{ErrNoChannel, http.StatusNotFound},
		{ErrNoBatch, http.StatusNotFound},
		{ErrBatchInvalid, http.StatusBadRequest},
		{ErrNoPrimary, http.StatusConflict},
		{ErrBatchExists, http.StatusConflict},
		{ErrBatchState, http.StatusConflict},
		{exchange.ErrDuplicate, http.StatusConflict},
		{ErrRefused, http.StatusForbidden},
		{websocket.ErrUnauthorized, http.StatusUnauthorized},
		{exchange.ErrBusy, http.StatusTooManyRequests},
		{ErrBatchesFull, http.StatusTooManyRequests},
		{exchange.ErrTooLarge, http.StatusRequestEntityTooLarge},
		{exchange.ErrTimeout, http.StatusGatewayTimeout},
		{exchange.ErrUnknown, http.StatusBadGateway},
		{exchange.ErrNoReply, http.StatusBadGateway},
		{exchange.ErrClosed, http.StatusBadGateway},
		{ErrNotRunning, http.StatusServiceUnavailable},
		{cluster.ErrUnavailable, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return http.StatusInternalServerError
}

// allow refuses what the rules of Access do not allow.
func (m *management) allow(q request, target, typ string) error {
	if m.c.o.Access.Send(q.who, target, typ) {
		return nil
	}
	m.c.event(Event{Kind: CommandRefused, Target: target, Identity: q.who.Name, Detail: typ})
	return fmt.Errorf("%s to target %q: %w", typ, target, ErrRefused)
}

// decode reads the body of a request.
func decode(q request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(q.w, q.Body, maxBody))
	d.DisallowUnknownFields()
	var tooLarge *http.MaxBytesError
	switch err := d.Decode(v); {
	case errors.As(err, &tooLarge):
		return &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", tooLarge.Limit)}
	case err != nil:
		return badRequest("cannot read the body: %v", err)
	}
	return nil
}

// Pages of lists.
const (
	defaultPage = 10_000
	maxPage     = 10_000
)

// page cuts a list, which is in the order of its IDs, to what was asked for with
// limit and after. If there is more, the header Link says where.
func page[T any](q request, all []T, id func(T) string) ([]T, error) {
	query := q.URL.Query()
	limit := defaultPage
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			return nil, badRequest("limit is %q, but must be a number from 1 to %d", text, maxPage)
		}
	}
	if after := query.Get("after"); after != "" {
		n := 0
		for n < len(all) && id(all[n]) <= after {
			n++
		}
		all = all[n:]
	}
	if len(all) > limit {
		all = all[:limit]
		query.Set("after", id(all[limit-1]))
		q.w.Header().Set("Link", "<"+q.URL.Path+"?"+query.Encode()+`>; rel="next"`)
	}
	return all, nil
}

// batchTime is a time as the lists have it.
func batchTime(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := t.UTC().Format(time.RFC3339Nano)
	return &s
}
