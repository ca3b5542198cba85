package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// TestOverload fills the server with requests that do not end: the next one is
// refused at once, and taken again when they have ended.
func TestOverload(t *testing.T) {
	const bound = 512
	var mux exchange.Mux
	running, release := make(chan struct{}, bound), make(chan struct{})
	control.Handle(&mux, control.OpStatus, func(context.Context, struct{}, control.Send) (control.PeerStatus, error) {
		running <- struct{}{}
		<-release
		return control.PeerStatus{}, nil
	})
	handler := api.NewServer(api.Options{Commands: &mux}).Handler()
	ask := func(path string) *httptest.ResponseRecorder {
		ctx := control.WithCaller(t.Context(), control.Caller{Role: control.Admin})
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		return w
	}
	var wg sync.WaitGroup
	for range bound {
		wg.Go(func() { ask("/v1/status") })
	}
	for range bound {
		<-running
	}
	if w := ask("/healthz"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "512 requests are under way") {
		t.Errorf("over the bound: %d %s", w.Code, w.Body)
	}
	close(release)
	wg.Wait()
	w := ask("/metrics")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "peerd_api_requests_refused_total 1") {
		t.Errorf("after it: %d %s", w.Code, w.Body)
	}
}
