package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
)

func TestRequests(t *testing.T) {
	f := start(t, nil)
	big := `{"names":["` + strings.Repeat("x", 1<<20) + `"]}`
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		want                     string // part of the body
	}{
		{"list", "GET", "/v1/components", "", 200, `[{"name":"ticker"`},
		{"list some", "GET", "/v1/components?names=db&names=ticker", "", 200, `[{"name":"db"`},
		{"list of an application", "GET", "/v1/components?app=shop", "", 200, `[{"name":"web","application":"shop"`},
		{"one", "GET", "/v1/components/ticker", "", 200, `"spec":{`},
		{"one by application", "GET", "/v1/components/orders%2Fweb", "", 200, `"application":"orders"`},
		{"act on one without a body", "POST", "/v1/components/ticker/stop", "", 200, `"outcome":"stopped"`},
		{"act on one with a body", "POST", "/v1/components/ticker/stop", `{"noWait":true}`, 200, `"outcome":"accepted"`},
		{"act on many", "POST", "/v1/start", `{"names":["ticker","db"]}`, 200, `{"name":"db"`},
		{"act on all", "POST", "/v1/stop?all", "", 200, `"name":"web"`},
		{"levels", "POST", "/v1/components/ticker/set-loglevel", `{"level":"debug"}`, 200, `{"levels":{"http":"info","root":"debug"}}`},
		{"status", "GET", "/v1/status", "", 200, `"keeperPid":11`},
		{"health", "GET", "/healthz", "", 200, `{"status":"ok"}`},
		{"ready", "GET", "/readyz", "", 200, `{"status":"ready"}`},

		{"no such instance", "GET", "/v1/components/nobody", "", 404, `"code":"notFound"`},
		{"refused by the handler", "GET", "/v1/components/secret", "", 403, `"code":"refused"`},
		{"invalid", "POST", "/v1/reload", "", 422, `"details":["demo.yaml:3:5`},
		{"no such path", "GET", "/v2/components", "", 404, `there is no /v2/components`},
		{"wrong method", "DELETE", "/v1/components", "", 405, `use GET`},
		{"unknown parameter", "GET", "/v1/components?colour=red", "", 400, `unknown parameter \"colour\": allowed are all, app, group, names`},
		{"parameter twice", "GET", "/v1/history?last=1&last=2", "", 400, `parameter last: given more than once`},
		{"no number", "GET", "/v1/history?last=many", "", 400, `must be a whole number`},
		{"number too big for its field", "GET", "/v1/history?since=-1", "", 400, `"code":"usage"`},
		{"unknown field", "POST", "/v1/start", `{"nams":["a"]}`, 400, `unknown field \"nams\": allowed are`},
		{"wrong type", "POST", "/v1/start", `{"names":"a"}`, 400, `"code":"usage"`},
		{"no object", "POST", "/v1/start", `[1]`, 400, `must be one JSON object`},
		{"rubbish", "POST", "/v1/start", "\x00\xff{", 400, `must be one JSON object`},
		{"null", "POST", "/v1/components/ticker/stop", "null", 200, `"outcome":"stopped"`},
		{"too big", "POST", "/v1/start", big, 400, `larger than 1048576 bytes`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := f.do(t, tc.method, tc.path, tc.body)
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("%s %s: %d %.300s; want %d and %s", tc.method, tc.path, resp.StatusCode, body, tc.status, tc.want)
			}
			if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
				t.Errorf("Content-Type %q", ct)
			}
		})
	}
}

func TestWrongMethodNamesTheRightOnes(t *testing.T) {
	resp, _ := start(t, nil).do(t, "PUT", "/v1/start", "")
	if allow := resp.Header.Get("Allow"); allow != "POST" {
		t.Errorf("Allow %q, want POST", allow)
	}
}

func TestNotReady(t *testing.T) {
	f := start(t, func(o *api.Options) { o.Ready = func() error { return errors.New("the first plan is being applied") } })
	resp, body := f.do(t, "GET", "/readyz", "")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(errorOf(t, body).Message, "first plan") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestClientCallsEveryOperation sends each operation with its client and finds
// the answer that the same request has over plain HTTP.
func TestClientCallsEveryOperation(t *testing.T) {
	f := start(t, nil)
	one := control.NameRequest{Name: "ticker"}
	payloads := map[string]any{
		control.OpPs:          control.Selection{Names: []string{"ticker", "db"}},
		control.OpStart:       control.ActRequest{Selection: control.Selection{Names: []string{"ticker"}}},
		control.OpStop:        control.ActRequest{Selection: control.Selection{All: true}},
		control.OpRestart:     control.ActRequest{Selection: control.Selection{Application: "shop"}, Rolling: true},
		control.OpKill:        control.ActRequest{Selection: control.Selection{Names: []string{"orders/web", "db"}}},
		control.OpSetLogLevel: control.LogLevelRequest{NameRequest: one, Level: "warn"},
		control.OpData:        control.DataRequest{NameRequest: one, What: "memory"},
		control.OpSend:        control.SendRequest{NameRequest: one, Type: "ECHO", Payload: json.RawMessage(`{"a":[1]}`)},
		control.OpHistory:     control.EventsRequest{Name: "ticker", Last: 1},
		control.OpReload:      control.ReloadRequest{DryRun: true},
		control.OpScale:       control.ScaleRequest{NameRequest: one, Replicas: 2},
		control.OpUpgrade:     control.UpgradeRequest{Binary: "/opt/peerd"},
		control.OpSnapshot:    control.SnapshotRequest{Path: "/here"},
		control.OpGraph:       nil, control.OpPlan: nil, control.OpStatus: nil,
	}
	for _, op := range control.Operations() {
		if op.Stream {
			continue
		}
		t.Run(op.Type, func(t *testing.T) {
			payload, ok := payloads[op.Type]
			if !ok {
				payload = one
			}
			resp := reflect.New(reflect.TypeOf(op.Response))
			if err := f.client.Call(t.Context(), op.Type, payload, resp.Interface()); err != nil {
				t.Fatal(err)
			}
			if resp.Elem().IsZero() {
				t.Error("empty answer")
			}
		})
	}
}

func TestClientErrors(t *testing.T) {
	f := start(t, nil)
	gone := api.NewClient(f.socket + ".none")
	defer gone.Close()
	soon, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	for _, tc := range []struct {
		name string
		err  error
		code control.Code
	}{
		{"unreachable", gone.Call(t.Context(), control.OpPs, nil, nil), control.CodeUnreachable},
		{"not found", f.client.Call(t.Context(), control.OpGet, control.NameRequest{Name: "nobody"}, nil), control.CodeNotFound},
		{"timeout", f.client.Call(soon, control.OpPs, nil, nil), control.CodeTimeout},
		{"no name", f.client.Call(t.Context(), control.OpGet, control.NameRequest{}, nil), control.CodeUsage},
		{"no operation", f.client.Call(t.Context(), "DANCE", nil, nil), control.CodeUsage},
	} {
		var e *control.Error
		if !errors.As(tc.err, &e) || e.Code != tc.code {
			t.Errorf("%s: %v, want code %s", tc.name, tc.err, tc.code)
		}
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if err := f.client.Call(cancelled, control.OpPs, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMetrics(t *testing.T) {
	f := start(t, nil)
	f.do(t, "GET", "/v1/status", "")
	f.do(t, "GET", "/v1/components/nobody", "")
	_, body := f.do(t, "GET", "/metrics", "")
	for _, want := range []string{
		`peerd_instances{status="running"} 1`,
		`peerd_instances{status="stopped"} 2`,
		`peerd_instance_restarts{application="orders",name="ticker"} 2`,
		`peerd_instance_memory_bytes{application="orders",name="ticker"} 1.2582912e+07`,
		`peerd_log_dropped_bytes_total 17`,
		`peerd_api_requests_total{operation="STATUS",status="200"} 1`,
		`peerd_api_requests_total{operation="GET",status="404"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	f := start(t, nil)
	files := []string{"/", "/docs"}
	entries, err := os.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, "/web/"+e.Name())
	}
	for _, path := range files {
		resp, body := f.do(t, "GET", path, "")
		body = strings.ReplaceAll(body, "http://www.w3.org/2000/svg", "") // a name, not a place
		if resp.StatusCode != 200 || strings.Contains(body, "https://") || strings.Contains(body, "http://") {
			t.Errorf("%s: %d, or it names another place", path, resp.StatusCode)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q", path, csp)
		}
	}
	if resp, body := f.do(t, "GET", "/web/..%2Fopenapi.json", ""); resp.StatusCode != 404 {
		t.Errorf("outside the folder: %d %.60s", resp.StatusCode, body)
	}
}

// TestPageReferences: what a page or module refers to is there.
func TestPageReferences(t *testing.T) {
	f := start(t, nil)
	reference := regexp.MustCompile(`(?:src|href)="(/[^"]+)"|from "\./([^"]+)"`)
	_, index := f.do(t, "GET", "/", "")
	_, docs := f.do(t, "GET", "/docs", "")
	text := index + docs
	entries, err := os.ReadDir("web")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		_, body := f.do(t, "GET", "/web/"+e.Name(), "")
		text += body
	}
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		path := m[1]
		if m[2] != "" {
			path = "/web/" + m[2]
		}
		if resp, _ := f.do(t, "GET", path, ""); resp.StatusCode != 200 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
