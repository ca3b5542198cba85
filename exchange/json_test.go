package exchange

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// TestEnvelopeJSON fixes the exact text: other programs compare it byte by byte.
func TestEnvelopeJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	tests := []struct {
		name string
		v    any
		want string
	}{
		{
			"command",
			Command{ID: "1", Type: "HELLO", Payload: json.RawMessage(`{"targetId":"t"}`)},
			`{"id":"1","type":"HELLO","payload":{"targetId":"t"}}`,
		},
		{"command without payload", Command{ID: "1", Type: "X"}, `{"id":"1","type":"X"}`},
		{
			"command with everything",
			Command{ID: "1", Type: "X", Payload: emptyObject, ExpiresAt: &at, Priority: 2, TraceParent: "tp", IdempotencyKey: "k"},
			`{"id":"1","type":"X","payload":{},"expiresAt":"2026-01-02T03:04:05.6Z","priority":2,"traceparent":"tp","idempotencyKey":"k"}`,
		},
		{
			"reply",
			Reply{CommandID: "1", Type: "HELLO", Status: Succeeded, Payload: json.RawMessage(`{"targetId":"t"}`)},
			`{"commandId":"1","type":"HELLO","commandStatus":"SUCCEEDED","payload":{"targetId":"t"}}`,
		},
		{
			"error reply",
			Reply{CommandID: "1", Type: "X", Status: Failed, ErrorDetails: "refused", Payload: emptyObject},
			`{"commandId":"1","type":"X","commandStatus":"ERROR","errorDetails":"refused","payload":{}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.v)
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
			back := reflect.New(reflect.TypeOf(tt.v))
			if err := json.Unmarshal(got, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), tt.v) {
				t.Errorf("read back as %+v, %v", back.Elem(), err)
			}
		})
	}
}

func TestStatusJSON(t *testing.T) {
	tests := map[string]Status{
		`"PENDING"`: Pending, `"IN_PROGRESS"`: InProgress, `"SUCCEEDED"`: Succeeded, `"ERROR"`: Failed,
		`"DONE"`: Failed, `"succeeded"`: Failed, `""`: Failed, `null`: Failed, `3`: Failed, `{"a":1}`: Failed,
	}
	for in, want := range tests {
		var r Reply
		if err := json.Unmarshal([]byte(`{"commandId":"1","commandStatus":`+in+`}`), &r); err != nil || r.Status != want {
			t.Errorf("%s: %q, %v; want %q", in, r.Status, err, want)
		}
	}
	var missing Reply
	if err := json.Unmarshal([]byte(`{"commandId":"1"}`), &missing); err != nil || missing.Err() == nil {
		t.Errorf("a reply without status counts as success: %+v, %v", missing, err)
	}
}

// FuzzEnvelopeJSON: whatever is taken in is written out in a form that is taken
// in as the same thing again.
func FuzzEnvelopeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"id":"1","type":"X","payload":{"a":[1,2,{"b":null}]}}`,
		`{"commandId":"1","type":"X","commandStatus":"ERROR","errorDetails":"a;;b","payload":{}}`,
		`{"id":"1","type":"X","payload":null,"expiresAt":"2026-01-02T03:04:05Z","priority":-1}`,
		`{"id":"é\u2028<&>","type":"","payload":"x","unknown":{"deep":true}}`,
		`{"commandId":"1","commandStatus":17}`,
		`[]`, ``, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		roundTrip[Command](t, in)
		roundTrip[Reply](t, in)
	})
}

func roundTrip[T any](t *testing.T, in []byte) {
	var first, second T
	if json.Unmarshal(in, &first) != nil {
		return
	}
	out, err := json.Marshal(first)
	if err != nil {
		t.Fatalf("cannot write %+v, read from %q: %v", first, in, err)
	}
	if err := json.Unmarshal(out, &second); err != nil {
		t.Fatalf("cannot read back %q: %v", out, err)
	}
	again, err := json.Marshal(second)
	if err != nil || string(again) != string(out) {
		t.Errorf("written as %s, then as %s (%v)", out, again, err)
	}
}

// TestEncodeKeepsItsSize: what only HTML needs escaped is not.
func TestEncodeKeepsItsSize(t *testing.T) {
	cmd, err := NewCommand("X", map[string]string{"text": "<a> & b"})
	if err != nil || string(cmd.Payload) != `{"text":"<a> & b"}` {
		t.Errorf("%s, %v", cmd.Payload, err)
	}
	if _, err := NewCommand("X", func() {}); err == nil {
		t.Error("a function was encoded")
	}
}
