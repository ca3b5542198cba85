package controller

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// described is the document as the validating library reads it.
var described = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI())
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// answers checks an answer, and the request where it was not refused, against
// the document.
func answers(t *testing.T, r *http.Request, body string, w *httptest.ResponseRecorder) {
	t.Helper()
	router, err := described()
	if err != nil {
		t.Fatal(err)
	}
	route, params, err := router.FindRoute(r)
	if err != nil { // no path of the document
		if w.Code != http.StatusNotFound {
			t.Errorf("%s %s: %d, but the document says %v", r.Method, r.URL, w.Code, err)
		}
		return
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil && w.Code < 300 {
		t.Errorf("%s %s %s was taken, but the document says %v", r.Method, r.URL, body, err)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(),
		Body:    io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(r.Context(), out); err != nil {
		t.Errorf("%s %s: the answer is not as described: %v", r.Method, r.URL, err)
	}
}

// TestEveryPathIsDescribed: the document and the routes are the same set.
func TestEveryPathIsDescribed(t *testing.T) {
	n := run(t, nil)
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	m := n.Management().(*management)
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			r := httptest.NewRequest(method, "/exchange"+strings.ReplaceAll(path, "{id}", "x"), nil)
			if _, pattern := m.mux.Handler(r); pattern != method+" /exchange"+path {
				t.Errorf("%s %s is described, and served by %q", method, path, pattern)
			}
			delete(m.served, method+" "+path)
		}
	}
	delete(m.served, "GET /openapi.json")
	if len(m.served) > 0 {
		t.Errorf("not described: %v", m.served)
	}
	if a := askElsewhere(t, n.Management(), "/exchange/openapi.json"); a.status != 200 {
		t.Errorf("the document itself: %+v", a)
	}
}
