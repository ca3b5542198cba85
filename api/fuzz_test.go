package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/api/apitest"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// FuzzRequest: whatever a request holds, the answer is JSON, and never a fault
// of the server's own.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"start", `all=true`, `{"names":["ticker"]}`},
		{"components/ticker/set-loglevel", "", `{"level":"debug","logger":null}`},
		{"components/a%2Fb%23/send", "app=%00", `{"type":"X","payload":[1,{"a":"\ud800"}]}`},
		{"components/ticker/data", "count=99999999999999999999", `{"count":1e99}`},
		{"components/ticker/scale", "", `{"replicas":-0.5}`},
		{"reload", "dryRun", `{"dryRun":"yes","dryRun":1}`},
		{"", "=&=;%", "{"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	var mux exchange.Mux
	apitest.New().Register(&mux)
	handler := api.NewServer(api.Options{Commands: &mux}).Handler()
	f.Fuzz(func(t *testing.T, path, query, body string) {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(control.WithCaller(ctx, control.Caller{Role: control.Admin}), http.MethodPost, "/v1/"+path, strings.NewReader(body))
		if err != nil {
			return // no request that a client could send
		}
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code == http.StatusTemporaryRedirect || w.Code == http.StatusMovedPermanently { // a path to clean
			return
		}
		if w.Code >= 500 && w.Code != http.StatusGatewayTimeout || !json.Valid(w.Body.Bytes()) {
			t.Errorf("POST /v1/%s?%s %q: %d %q", url.PathEscape(path), query, body, w.Code, w.Body)
		}
	})
}
