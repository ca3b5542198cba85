package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
)

// controllerSays is a client of a controller that gives one answer; asked is
// told of the request.
func controllerSays(t *testing.T, status int, answer string, asked func(*http.Request, string)) *api.FleetClient {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if asked != nil {
			asked(r, string(body))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	f, err := api.NewFleetClient("ws"+strings.TrimPrefix(server.URL, "http")+"/prefix/", api.FleetOptions{Identifier: "east"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); server.Close() })
	return f
}

func TestFleetClientSendsTheCommand(t *testing.T) {
	f := controllerSays(t, http.StatusOK, `{"commandId":"1","type":"PS","commandStatus":"SUCCEEDED","payload":[{"name":"ticker"}]}`, func(r *http.Request, body string) {
		if r.Method != http.MethodPost || r.URL.EscapedPath() != "/prefix/exchange/east/targets/a%2Fb/commands" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if !strings.HasPrefix(body, `{"type":"PS","payload":{"names":["ticker"]},"timeoutMs":`) || !strings.HasSuffix(body, `"primary":true}`) {
			t.Errorf("body %s", body)
		}
	})
	var rows []control.Instance
	err := f.Target("a/b", api.To{Primary: true}).Call(t.Context(), control.OpPs, control.Selection{Names: []string{"ticker"}}, &rows)
	if err != nil || len(rows) != 1 || rows[0].Name != "ticker" {
		t.Errorf("%+v, %v", rows, err)
	}
}

// What went wrong keeps its code, whether the peer or the controller says so.
func TestFleetClientErrors(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		answer string
		code   control.Code
		text   string
	}{
		"the peer's own":        {200, `{"commandId":"1","type":"GET","commandStatus":"ERROR","errorDetails":"{\"code\":\"notFound\",\"message\":\"no instance\"}"}`, control.CodeNotFound, "no instance"},
		"an unknown command":    {200, `{"commandId":"1","type":"UNKNOWN","commandStatus":"ERROR"}`, control.CodeNotFound, "UNKNOWN"},
		"no such target":        {404, `{"code":404,"message":"the target has no channel"}`, control.CodeNotFound, "no channel"},
		"not allowed":           {403, `{"code":403,"message":"not allowed"}`, control.CodeRefused, "not allowed"},
		"who are you":           {401, `{"code":401,"message":"unauthorized"}`, control.CodeRefused, "unauthorized"},
		"no reply in time":      {504, `{"code":504,"message":"no reply"}`, control.CodeTimeout, "no reply"},
		"the controller stops":  {410, `gone`, control.CodeUnreachable, "Gone"},
		"no controller at all":  {200, `<html>`, control.CodeFailed, "cannot read"},
		"a wrong request":       {400, `{"code":400,"message":"no type"}`, control.CodeUsage, "no type"},
		"something else's 500":  {500, ``, control.CodeFailed, "Internal Server Error"},
		"an answer of the kind": {200, `{"commandId":"1","type":"GET","commandStatus":"SUCCEEDED","payload":[]}`, control.CodeFailed, "cannot read the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			var d control.Detail
			err := controllerSays(t, c.status, c.answer, nil).Target("t", api.To{}).Call(t.Context(), control.OpGet, control.NameRequest{Name: "x"}, &d)
			var e *control.Error
			if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.text) {
				t.Errorf("%v, want %s with %q", err, c.code, c.text)
			}
		})
	}
}

func TestFleetClientStreams(t *testing.T) {
	const progress = `{"commandId":"1","type":"LOGS","commandStatus":"IN_PROGRESS","payload":{"n":1}}` + "\n"
	for name, c := range map[string]struct {
		answer, text string
		code         control.Code
	}{
		"to its end":             {progress + progress + `{"commandId":"1","type":"LOGS","commandStatus":"SUCCEEDED","payload":{}}`, "", ""},
		"the channel ends":       {progress + progress + `{"error":{"code":502,"message":"channel closed"}}`, "channel closed", control.CodeFailed},
		"the controller is gone": {progress + progress, "without a result", control.CodeUnreachable},
		"the peer fails":         {progress + progress + `{"commandId":"1","type":"LOGS","commandStatus":"ERROR","errorDetails":"disk"}`, "disk", control.CodeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			items := 0
			_, err := controllerSays(t, http.StatusOK, c.answer, nil).Target("t", api.To{}).
				Stream(t.Context(), control.OpLogs, control.LogsRequest{}, func(json.RawMessage) error { items++; return nil })
			if items != 2 {
				t.Errorf("%d items", items)
			}
			if e := control.AsError(err); c.code == "" && err != nil || c.code != "" && (e == nil || e.Code != c.code || !strings.Contains(e.Message, c.text)) {
				t.Errorf("%v, want %s with %q", err, c.code, c.text)
			}
		})
	}
	stop := errors.New("enough")
	_, err := controllerSays(t, http.StatusOK, progress+progress, nil).Target("t", api.To{}).
		Stream(t.Context(), control.OpLogs, control.LogsRequest{}, func(json.RawMessage) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("the caller's own error: %v", err)
	}
}

func TestFleetClientAddress(t *testing.T) {
	for _, bad := range []string{"", "controller:8062", "ftp://c", "http://user:secret@c", "http://c?x=1", "http:///x", "%"} {
		_, err := api.NewFleetClient(bad, api.FleetOptions{})
		if control.AsError(err) == nil || control.AsError(err).Code != control.CodeUsage {
			t.Errorf("NewFleetClient(%q): %v", bad, err)
		}
	}
	f, err := api.NewFleetClient("http://127.0.0.1:1", api.FleetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	if err := f.Do(ctx, http.MethodGet, "/targets", nil, nil); control.AsError(err).Code != control.CodeUnreachable {
		t.Errorf("nobody there: %v", err)
	}
	cancel()
	if err := f.Do(ctx, http.MethodGet, "/targets", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
