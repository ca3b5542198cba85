package logs

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLineTravels: whatever bytes a line has, it has them again on the other
// side of JSON.
func TestLineTravels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		want := Line{At: time.Unix(1, 2).UTC(), Name: "a", Stream: Err, Text: text, Partial: true, Level: "info"}
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Line
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
	if b, err := json.Marshal(Line{Text: "plain"}); err != nil || string(b) != `{"at":"0001-01-01T00:00:00Z","name":"","stream":"","text":"plain"}` {
		t.Errorf("plain text: %s %v", b, err)
	}
}
