package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

func TestOperationsAreConsistent(t *testing.T) {
	types, routes := map[string]bool{}, map[string]bool{}
	for _, op := range control.Operations() {
		if types[op.Type] {
			t.Errorf("%s twice", op.Type)
		}
		types[op.Type] = true
		for _, path := range []string{op.Path, op.Many} {
			if route := op.Method + " " + path; path != "" && routes[route] {
				t.Errorf("%s twice", route)
			} else {
				routes[route] = true
			}
		}
		if op.Role == control.NoRole || op.Summary == "" || !regexp.MustCompile(`^/v1/`).MatchString(op.Path) {
			t.Errorf("%s: role %v, summary %q, path %q", op.Type, op.Role, op.Summary, op.Path)
		}
		if op.Stream && op.Progress == nil || !op.Stream && op.Response == nil {
			t.Errorf("%s has no answer", op.Type)
		}
		if b, err := json.Marshal(op.Request); err != nil || op.Request != nil && b[0] != '{' {
			t.Errorf("%s: the request is %s (%v), no object", op.Type, b, err)
		}
		if got, ok := control.Lookup(op.Type); !ok || got.Path != op.Path {
			t.Errorf("%s is not found", op.Type)
		}
	}
}

// call runs op as the caller with that role and returns the error.
func call(mux *exchange.Mux, role control.Role, typ, payload string) error {
	ctx := control.WithCaller(context.Background(), control.Caller{Role: role, By: "a test"})
	return control.ReplyError(mux.Dispatch(ctx, exchange.Command{ID: "1", Type: typ, Payload: json.RawMessage(payload)}, nil))
}

func TestHandle(t *testing.T) {
	var mux exchange.Mux
	var fault error
	control.Handle(&mux, control.OpReload, func(_ context.Context, req control.ReloadRequest, _ control.Send) (control.ReloadReply, error) {
		if !req.DryRun {
			t.Error("the payload did not arrive")
		}
		return control.ReloadReply{}, fault
	})
	wrapped := fmt.Errorf("cannot reload: %w", control.Errorf(control.CodeInvalid, "line 3"))
	for _, tc := range []struct {
		name    string
		role    control.Role
		payload string
		fault   error
		code    control.Code // "" success
		message string
	}{
		{"done", control.Admin, `{"dryRun":true}`, nil, "", ""},
		{"role too low", control.Operator, `{"dryRun":true}`, nil, control.CodeRefused, "RELOAD needs the role admin; a test has operator"},
		{"no caller", control.NoRole, `{"dryRun":true}`, nil, control.CodeRefused, "no role"},
		{"bad payload", control.Admin, `{"dryRun":3}`, nil, control.CodeUsage, "dryRun"},
		{"its own error", control.Admin, `{"dryRun":true}`, control.Errorf(control.CodeNotFound, "gone"), control.CodeNotFound, "gone"},
		{"a wrapped error", control.Admin, `{"dryRun":true}`, wrapped, control.CodeInvalid, "line 3"},
		{"any error", control.Admin, `{"dryRun":true}`, errors.New("boom"), control.CodeFailed, "boom"},
		{"a deadline", control.Admin, `{"dryRun":true}`, context.DeadlineExceeded, control.CodeTimeout, "deadline"},
	} {
		fault = tc.fault
		err := call(&mux, tc.role, control.OpReload, tc.payload)
		if tc.code == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		var e *control.Error
		if !errors.As(err, &e) || e.Code != tc.code || !strings.Contains(e.Message, tc.message) {
			t.Errorf("%s: %#v, want %s %s", tc.name, err, tc.code, tc.message)
		}
	}
}

func TestHandleRefusesWhatIsNoOperation(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	control.Handle(&exchange.Mux{}, "DANCE", func(context.Context, struct{}, control.Send) (struct{}, error) { return struct{}{}, nil })
}

func TestErrorTravels(t *testing.T) {
	want := &control.Error{Code: control.CodeInvalid, Message: "2 faults", Details: []any{"a:1", "a:2"}}
	got := control.ReplyError(exchange.Reply{Type: "X", Status: exchange.Failed, ErrorDetails: control.Details(want)})
	if fmt.Sprint(got.(*control.Error)) != fmt.Sprint(want) || got.(*control.Error).Code != want.Code {
		t.Errorf("got %v", got)
	}
	foreign := control.ReplyError(exchange.Reply{Type: "X", Status: exchange.Failed, ErrorDetails: "plain words"})
	if e := control.AsError(foreign); e.Code != control.CodeFailed || e.Message != "plain words" {
		t.Errorf("foreign details: %v", foreign)
	}
	odd := control.Details(&control.Error{Code: control.CodeFailed, Message: "m", Details: func() {}})
	if odd != `{"code":"failed","message":"m"}` {
		t.Errorf("details that are no JSON: %s", odd)
	}
	var mux exchange.Mux
	if err := call(&mux, control.Admin, control.OpPs, `{}`); control.AsError(err).Code != control.CodeNotFound {
		t.Errorf("no handler: %v", err)
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[control.Code][2]int{
		control.CodeFailed: {1, 500}, control.CodeUsage: {2, 400}, control.CodeNotFound: {3, 404}, control.CodeTimeout: {4, 504},
		control.CodeUnreachable: {5, 503}, control.CodeRefused: {6, 403}, control.CodeInvalid: {7, 422}, "newer": {1, 500},
	} {
		if got := [2]int{code.ExitCode(), code.HTTPStatus()}; got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, r := range []control.Role{control.Viewer, control.Operator, control.Admin} {
		if got, err := control.ParseRole(r.String()); got != r || err != nil {
			t.Errorf("%v: %v %v", r, got, err)
		}
	}
	for _, s := range []string{"", "no role", "Admin", "root"} {
		if _, err := control.ParseRole(s); err == nil {
			t.Errorf("accepts %q", s)
		}
	}
}

func ExampleHandle() {
	var mux exchange.Mux
	control.Handle(&mux, control.OpStatus, func(context.Context, struct{}, control.Send) (control.PeerStatus, error) {
		return control.PeerStatus{Peer: "demo"}, nil
	})
	ctx := control.WithCaller(context.Background(), control.Caller{Role: control.Viewer, By: "uid 0"})
	reply := mux.Dispatch(ctx, exchange.Command{ID: "1", Type: control.OpStatus}, nil)
	var status control.PeerStatus
	if err := json.Unmarshal(reply.Payload, &status); err != nil {
		fmt.Println(err)
	}
	fmt.Println(reply.Status, status.Peer)
	// Output: SUCCEEDED demo
}
