package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/seed-04209a44/peerd/api/openapi"
	"github.com/seed-04209a44/peerd/control"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPIFile: the document that is served is the one that the operations
// make today, and it is valid.
func TestOpenAPIFile(t *testing.T) {
	want, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("openapi.json is behind the operations: run `go test ./api -run TestOpenAPIFile -update`")
	}
	if err := document(t).Validate(context.Background()); err != nil {
		t.Error(err)
	}
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	f := start(t, nil)
	_, body := f.do(t, "GET", "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestAnswersMatchTheDocument sends requests and validates what comes back,
// successes and failures, against the schemas of the document.
func TestAnswersMatchTheDocument(t *testing.T) {
	doc := document(t)
	f := start(t, nil)
	bodies := map[string]string{
		control.OpSetLogLevel: `{"level":"debug"}`,
		control.OpData:        `{"what":"memory"}`,
		control.OpSend:        `{"type":"ECHO","payload":{"a":1}}`,
		control.OpReload:      `{"dryRun":true}`,
		control.OpScale:       `{"replicas":2}`,
	}
	for _, op := range control.Operations() {
		if op.Stream {
			continue
		}
		for _, name := range []string{"ticker", "nobody", "secret"} {
			path := strings.ReplaceAll(op.Path, "{name}", name)
			resp, body := f.do(t, op.Method, path, bodies[op.Type])
			described := doc.Paths.Find(op.Path).GetOperation(op.Method).Responses
			r := described.Status(resp.StatusCode)
			if resp.StatusCode != http.StatusOK {
				r = described.Default()
			}
			var v any
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatal(err)
			}
			schema := r.Value.Content["application/json"].Schema.Value
			if err := schema.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.VisitAsResponse()); err != nil {
				t.Errorf("%s %s: %d %s: %v", op.Method, path, resp.StatusCode, body, err)
			}
		}
	}
}

// TestDocumentIsComplete: every operation at every path, and every field of its
// request somewhere.
func TestDocumentIsComplete(t *testing.T) {
	doc := document(t)
	for _, op := range control.Operations() {
		for _, path := range []string{op.Path, op.Many} {
			if path == "" {
				continue
			}
			item := doc.Paths.Value(path)
			if item == nil || item.GetOperation(op.Method) == nil {
				t.Errorf("%s %s is missing", op.Method, path)
			}
		}
	}
	body := doc.Paths.Value("/v1/components/{name}/set-loglevel").Post.RequestBody.Value.Content["application/json"].Schema.Value
	if !slices.Equal(body.Required, []string{"level"}) || body.Properties["persist"] == nil || body.Properties["name"] != nil {
		t.Errorf("body of set-loglevel: required %v, properties %v", body.Required, body.Properties)
	}
}
