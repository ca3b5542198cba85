package api

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/seed-04209a44/peerd/control"
)

//go:generate go test . -run TestOpenAPIFile -update

// The OpenAPI document is generated from control.Operations (package
// api/openapi); a test fails when the file is behind.
//
//go:embed openapi.json
var openAPI []byte

// The web page and the documentation page: plain HTML, CSS and ES modules,
// served as they are.
//
//go:embed web
var web embed.FS

// pagePolicy lets a page load what the peer itself serves, and nothing else.
const pagePolicy = "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// mountPages adds the pages to mux.
func mountPages(mux *http.ServeMux) {
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", typeJSON)
		_, _ = w.Write(openAPI)
	})
	for route, file := range map[string]string{"GET /{$}": "web/home.html", "GET /docs": "web/docs.html"} {
		mux.Handle(route, page(func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, web, file) }))
	}
	mux.Handle("GET /web/{file}", page(func(w http.ResponseWriter, r *http.Request) {
		name := "web/" + r.PathValue("file")
		if _, err := fs.Stat(web, name); err != nil {
			writeErr(w, control.Errorf(control.CodeNotFound, "the page has no %s", r.URL.Path))
			return
		}
		http.ServeFileFS(w, r, web, name)
	}))
}

func page(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		h(w, r)
	})
}
