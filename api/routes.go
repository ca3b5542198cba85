package api

import (
	"net/http"
	"strings"

	"github.com/seed-04209a44/peerd/control"
)

// routes mounts the table of operations and the pages around it.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, op := range control.Operations() {
		mux.Handle(op.Method+" "+op.Path, s.operation(op))
		if op.Many != "" {
			mux.Handle(op.Method+" "+op.Many, s.operation(op))
		}
	}
	mountPages(mux)
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, health{"ok"}) })
	mux.HandleFunc("GET /readyz", s.serveReady)
	return jsonFaults(mux)
}

// health is the body of /healthz and /readyz.
type health struct {
	Status string `json:"status"`
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if s.opts.Ready != nil {
		if err := s.opts.Ready(); err != nil {
			writeError(w, http.StatusServiceUnavailable, control.Errorf(control.CodeFailed, "not ready: %v", err))
			return
		}
	}
	writeJSON(w, http.StatusOK, health{"ready"})
}

// jsonFaults answers what mux has no route for in the API's error form.
func jsonFaults(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		fault := &verdict{header: http.Header{}}
		h.ServeHTTP(fault, r)
		if allow := fault.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			writeError(w, http.StatusMethodNotAllowed, control.Errorf(control.CodeUsage, "%s does not take %s: use %s", r.URL.Path, r.Method, strings.ReplaceAll(allow, ", HEAD", "")))
			return
		}
		writeError(w, http.StatusNotFound, control.Errorf(control.CodeNotFound, "there is no %s: /openapi.json lists the paths", r.URL.Path))
	})
}

// verdict is a response of which only the header is of interest.
type verdict struct{ header http.Header }

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) Write(b []byte) (int, error) { return len(b), nil }
func (v *verdict) WriteHeader(int)             {}
