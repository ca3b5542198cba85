package api

import (
	_ "embed"
	"net/http"
)

// The OpenAPI document is generated from control.Operations (package
// api/openapi); a test fails when the file is behind.
//
//go:embed openapi.json
var openAPI []byte

//go:embed docs.html
var docsPage []byte

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", typeJSON)
	_, _ = w.Write(openAPI)
}

func serveDocs(w http.ResponseWriter, _ *http.Request) { servePage(w, docsPage) }

// servePage writes an embedded page that may load nothing from elsewhere.
func servePage(w http.ResponseWriter, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'")
	_, _ = w.Write(page)
}
