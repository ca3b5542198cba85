package controller

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// asked is the answer to one management request.
type asked struct {
	status int
	header http.Header
	body   any
}

// ask sends one request, with the body in JSON if there is one. The answer must
// match the document.
func ask(t *testing.T, h http.Handler, method, path, body string) asked {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	h.ServeHTTP(w, r)
	answers(t, r, body, w)
	return askedOf(t, r, w)
}

// askElsewhere is ask on a path that is not the document's.
func askElsewhere(t *testing.T, h http.Handler, path string) asked {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	h.ServeHTTP(w, r)
	return askedOf(t, r, w)
}

func askedOf(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) asked {
	t.Helper()
	a := asked{status: w.Code, header: w.Header()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			t.Fatalf("%s %s: %v in %s", r.Method, r.URL, err, w.Body)
		}
	}
	return a
}

// same compares with JSON, in which $1, $2… are the given values.
func (a asked) same(t *testing.T, what string, status int, want string, values ...string) {
	t.Helper()
	for i, v := range values {
		want = strings.ReplaceAll(want, fmt.Sprint("$", i+1), v)
	}
	var body any
	if err := json.Unmarshal([]byte(want), &body); err != nil {
		t.Fatalf("%s: %v in %s", what, err, want)
	}
	if a.status != status || !reflect.DeepEqual(a.body, body) {
		got, _ := json.Marshal(a.body)
		t.Errorf("%s: %d %s\nwant %d %s", what, a.status, got, status, want)
	}
}

func TestManagementPaths(t *testing.T) {
	n := run(t, nil)
	h := n.Management()
	for _, path := range []string{"targets", "channels", "batchs", "targets/x/channels", "targets/x/batchs"} {
		ask(t, h, "GET", "/exchange/"+path, "").same(t, path+" of nothing", 200, `[]`)
	}
	p := n.join("t", "p", nil)
	n.until("primary", func() bool { return n.Target("t")[0].Primary })
	b := batchOf(t, "t", "FAIL", 1)
	b.MaxRetry, b.ID, b.Key = NoRetry, "failed", "k"
	n.execute(b)
	at := batchTime(n.wait("failed").LastRetryAt)
	orphan := batchOf(t, "gone", "ECHO", 1)
	orphan.ID, orphan.Key = "orphan", ""
	n.execute(orphan)

	ch := `{"id":"$1","targetId":"t","active":true,"primary":true}`
	wide := strings.TrimSuffix(ch, "}") + `,"node":"` + n.node + `","connector":"p"}`
	failed := `{"id":"failed","key":"k","targetId":"t","status":"ERROR","errorDetails":"command 0 (FAIL): it fails","maxRetry":0,"retry":0,"lastRetryAt":"$2"}`
	alone := `{"id":"orphan","key":null,"targetId":"gone","status":"CREATED","errorDetails":null,"maxRetry":5,"retry":null,"lastRetryAt":null}`
	id := n.Target("t")[0].ID
	for _, c := range []struct{ path, want string }{
		{"targets", `[{"id":"t","channels":[` + ch + `],"batchs":[` + failed + `]}]`}, // no orphans
		{"targets/t", `{"channels":[` + ch + `],"batchs":[` + failed + `]}`},
		{"targets/gone", `{"channels":[],"batchs":[` + alone + `]}`},
		{"targets/t/channels", `[` + ch + `]`},
		{"targets/t/batchs", `[` + failed + `]`},
		{"channels", `[` + ch + `]`},
		{"channels?active=true", `[` + ch + `]`},
		{"channels?active=false", `[]`},
		{"channels?wide=true", `[` + wide + `]`},
		{"targets/t/channels?wide=true", `[` + wide + `]`},
		{"channels?active=nonsense", `[]`},
		{"channels?targetId=t", `[` + ch + `]`},
		{"channels?targetId=x", `[]`},
		{"channels/" + id, ch},
		{"batchs", `[` + failed + `,` + alone + `]`},
		{"batchs?status=error", `[` + failed + `]`}, // batches, not targets
		{"batchs?status=SUCCEEDED", `[]`},
		{"batchs?targetId=gone", `[` + alone + `]`},
		{"batchs?status=ERROR&targetId=gone", `[]`},
		{"batchs/failed", failed},
	} {
		ask(t, h, "GET", "/exchange/"+c.path, "").same(t, c.path, 200, c.want, id, *at)
	}
	for _, path := range []string{"targets/x", "channels/x", "batchs/x", "nothing"} {
		a := ask(t, h, "GET", "/exchange/"+path, "")
		body, _ := a.body.(map[string]any)
		if a.status != 404 || body["code"] != 404.0 || body["message"] == "" || len(body) != 2 {
			t.Errorf("%s: %d %v", path, a.status, a.body)
		}
	}
	p.stop()
}

func TestManagementIsNamedAndTurnedOff(t *testing.T) {
	named := run(t, func(o *Options) { o.Identifier = "fleet"; o.Batches.Disabled = true })
	off := run(t, func(o *Options) { o.Management.Disabled = true })
	for _, c := range []struct {
		n      *node
		path   string
		status int
	}{
		{named, "/exchange/fleet/targets", 200},
		{named, "/exchange/targets", 404},
		{named, "/exchange/fleet/batchs", 404},
		{named, "/exchange/fleet/batchs/x", 404},
		{named, "/exchange/fleet/targets/x/batchs", 404},
		{off, "/exchange/targets", 404},
	} {
		if a := askElsewhere(t, c.n.Management(), c.path); a.status != c.status {
			t.Errorf("%s: %d, want %d", c.path, a.status, c.status)
		}
	}
}

func TestManagementActions(t *testing.T) {
	n := run(t, nil)
	h := n.Management()
	release := make(chan struct{})
	defer close(release)
	stuck := func(o *exchange.ConnectorOptions) {
		o.Channel.Handlers.Handle("STUCK", func(context.Context, *exchange.Request) (any, error) {
			<-release
			return nil, nil
		})
	}
	p := n.join("t", "p", stuck)
	n.join("t", "q", stuck)
	n.until("a primary", func() bool { return p.term() != 0 })
	ask(t, h, "POST", "/exchange/targets/t/commands", `{"id":"1","type":"ECHO","payload":{"a":1}}`).
		same(t, "a command", 200, `{"commandId":"1","type":"ECHO","commandStatus":"SUCCEEDED","payload":{"a":1}}`)
	ask(t, h, "POST", "/exchange/targets/t/commands", `{"id":"2","type":"FAIL","primary":true}`).
		same(t, "a command that fails", 200, `{"commandId":"2","type":"FAIL","commandStatus":"ERROR","errorDetails":"it fails"}`)
	if a := ask(t, h, "POST", "/exchange/targets/t/commands", `{"type":"ECHO","all":true}`); a.status != 200 || len(a.body.([]any)) != 2 {
		t.Errorf("to all: %+v", a)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "targets/t/commands", `{"type":"STUCK","timeoutMs":20}`, 504},
		{"POST", "targets/t/commands", `{"type":"NEVER-HEARD-OF"}`, 502},
		{"POST", "targets/t/commands", `{"type":"ECHO","channelId":"x"}`, 404},
		{"POST", "targets/x/commands", `{"type":"ECHO"}`, 404},
		{"POST", "targets/t/commands", `{}`, 400},
		{"POST", "targets/t/commands", `{"type":"ECHO","tpyo":1}`, 400},
		{"POST", "targets/t/commands", `{`, 400},
		{"POST", "targets/t/batchs", `{"commands":[]}`, 400},
		{"POST", "targets/t/batchs", `{"maxRetry":-1,"commands":[{"type":"ECHO"}]}`, 400},
		{"DELETE", "batchs/x", ``, 404},
		{"POST", "batchs/x/retry", ``, 404},
		{"DELETE", "channels/x", ``, 404},
		{"GET", "channels?limit=0", ``, 400},
	} {
		if a := ask(t, h, c.method, "/exchange/"+c.path, c.body); a.status != c.status {
			t.Errorf("%s %s %s: %+v, want %d", c.method, c.path, c.body, a, c.status)
		}
	}
	a := ask(t, h, "POST", "/exchange/targets/t/batchs", `{"id":"b","key":"k","maxRetry":0,"commands":[{"type":"ECHO"},{"type":"FAIL"}]}`)
	if a.status != 202 || a.header.Get("Location") != "/exchange/batchs/b" {
		t.Errorf("a batch: %+v", a)
	}
	if a := ask(t, h, "POST", "/exchange/targets/t/batchs", `{"id":"b","commands":[{"type":"ECHO"}]}`); a.status != 409 {
		t.Errorf("the same batch: %+v", a)
	}
	if b := n.wait("b"); b.Status != BatchError || b.Done() != 1 {
		t.Errorf("%+v", b)
	}
	if a := ask(t, h, "POST", "/exchange/batchs/b/retry", ""); a.status != 200 {
		t.Errorf("retry: %+v", a)
	}
	n.wait("b")
	n.execute(func() Batch { b := batchOf(t, "gone", "ECHO", 1); b.ID = "c"; return b }())
	if a := ask(t, h, "DELETE", "/exchange/batchs/c", ""); a.status != 200 || a.body.(map[string]any)["errorDetails"] != "cancelled" {
		t.Errorf("cancel: %+v", a)
	}
	if a := ask(t, h, "DELETE", "/exchange/channels/"+n.Target("t")[0].ID+"?reconnect=false", ""); a.status != 204 {
		t.Errorf("kick: %+v", a)
	}
	n.until("it has gone", func() bool { return len(n.Target("t")) == 1 })
}

func TestManagementPages(t *testing.T) {
	n := run(t, nil)
	for i := range 5 {
		n.join(fmt.Sprint("t", i), "p", nil)
	}
	var seen []any
	pages := 0
	for path := "/exchange/targets?limit=2"; path != ""; pages++ {
		a := ask(t, n.Management(), "GET", path, "")
		for _, target := range a.body.([]any) {
			seen = append(seen, target.(map[string]any)["id"])
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
	if want := []any{"t0", "t1", "t2", "t3", "t4"}; !reflect.DeepEqual(seen, want) || pages != 3 {
		t.Errorf("%v in %d pages", seen, pages)
	}
}

func TestManagementAccess(t *testing.T) {
	n := run(t, func(o *Options) {
		o.Management.Caller = func(r *http.Request) (Identity, error) {
			if who := r.Header.Get("X-Who"); who != "" {
				return Identity{Name: who}, nil
			}
			return Identity{}, errors.New("who is it")
		}
		o.Access = Access{
			{Names: []string{"p"}, Targets: []string{"*"}},
			{Names: []string{"viewer", "operator"}, Targets: []string{""}, Commands: []string{ActionRead}},
			{Names: []string{"operator"}, Targets: []string{"t"}, Commands: []string{"ECHO", ActionBatch, ActionKick}},
		}
	})
	n.join("t", "p", func(o *exchange.ConnectorOptions) {
		o.Dial = func(_ context.Context, _ string) (exchange.Channel, error) { return n.Embedded(Identity{Name: "p"}) }
	})
	n.execute(func() Batch { b := batchOf(t, "gone", "ECHO", 1); b.ID = "b"; return b }())
	for _, c := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"", "GET", "targets", "", 401},
		{"stranger", "GET", "targets", "", 403},
		{"viewer", "GET", "targets", "", 200},
		{"viewer", "POST", "targets/t/commands", `{"type":"ECHO"}`, 403},
		{"operator", "POST", "targets/t/commands", `{"type":"ECHO"}`, 200},
		{"operator", "POST", "targets/t/commands", `{"type":"EFFECT"}`, 403},
		{"operator", "POST", "targets/t/batchs", `{"commands":[{"type":"ECHO"},{"type":"EFFECT"}]}`, 403},
		{"operator", "DELETE", "batchs/b", "", 403}, // of another target
		{"viewer", "DELETE", "channels/" + n.Target("t")[0].ID, "", 403},
		{"operator", "DELETE", "channels/" + n.Target("t")[0].ID, "", 204},
	} {
		r := httptest.NewRequest(c.method, "/exchange/"+c.path, strings.NewReader(c.body))
		r.Header.Set("X-Who", c.who)
		w := httptest.NewRecorder()
		n.Management().ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%q %s %s %s: %d %s, want %d", c.who, c.method, c.path, c.body, w.Code, w.Body, c.status)
		}
	}
}

func TestManagementEvents(t *testing.T) {
	n := run(t, nil)
	web := httptest.NewServer(n.Management())
	defer web.Close()
	resp, err := http.Get(web.URL + "/exchange/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n.join("t", "p", nil)
	lines := bufio.NewScanner(resp.Body)
	deadline := time.AfterFunc(patience, func() { resp.Body.Close() })
	defer deadline.Stop()
	var kinds []string
	for lines.Scan() {
		if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			kinds = append(kinds, kind)
			if kind == string(PrimaryElected) {
				go n.stop()
			}
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if len(kinds) < 3 || kinds[0] != string(ChannelOpened) || kinds[len(kinds)-1] != "end" {
		t.Errorf("events %v", kinds)
	}
}
