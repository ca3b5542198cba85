package controller

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-04209a44/peerd/exchange"
)

// counting answers THREE with three intermediate replies, and FOREVER until it
// is cancelled, which over tells.
func counting(over chan<- struct{}) func(*exchange.ConnectorOptions) {
	return func(o *exchange.ConnectorOptions) {
		o.Channel.Handlers.Handle("THREE", func(_ context.Context, req *exchange.Request) (any, error) {
			for n := range 3 {
				if err := req.Progress(n); err != nil {
					return nil, err
				}
			}
			return req.Caller, nil
		})
		o.Channel.Handlers.Handle("FOREVER", func(ctx context.Context, req *exchange.Request) (any, error) {
			defer close(over)
			if err := req.Progress("begun"); err != nil {
				return nil, err
			}
			<-ctx.Done()
			return nil, ctx.Err()
		})
	}
}

func TestManagementStreams(t *testing.T) {
	n := run(t, func(o *Options) {
		o.Management.Caller = func(*http.Request) (Identity, error) { return Identity{Name: "alice"}, nil }
	})
	over := make(chan struct{})
	n.join("t", "p", counting(over))
	server := httptest.NewServer(n.Management())
	defer server.Close()
	post := func(ctx context.Context, typ string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/exchange/targets/t/commands", strings.NewReader(`{"type":"`+typ+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", streamType)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := post(t.Context(), "THREE")
	defer resp.Body.Close()
	var lines []string
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if len(lines) != 4 || !strings.Contains(lines[2], `"IN_PROGRESS","payload":2`) || !strings.Contains(lines[3], `"SUCCEEDED","payload":"alice"`) {
		t.Errorf("%q", lines)
	}

	unknown := post(t.Context(), "NOBODY_KNOWS")
	defer unknown.Body.Close()
	if unknown.StatusCode != http.StatusBadGateway {
		t.Errorf("an unknown type: %s", unknown.Status)
	}

	ctx, leave := context.WithCancel(t.Context())
	endless := post(ctx, "FOREVER")
	defer endless.Body.Close()
	if line, err := bufio.NewReader(endless.Body).ReadString('\n'); err != nil || !strings.Contains(line, "begun") {
		t.Errorf("%q, %v", line, err)
	}
	leave()
	<-over // it is cancelled with its caller
	http.DefaultClient.CloseIdleConnections()
}
