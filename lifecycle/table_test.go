package lifecycle

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCheckPathFindsWhatIsWrong(t *testing.T) {
	good := func() []Transition {
		d := drive(t).up().step(Event{Kind: EvStop}).reports(StopTimeWait, StopExecution, StopCleanup)
		return d.step(Event{Kind: EvExited, TreeEmpty: true}).step(Event{Kind: EvStart}).history
	}
	for _, c := range []struct {
		name  string
		spoil func([]Transition) []Transition
		want  string
	}{
		{"as it is", func(h []Transition) []Transition { return h }, ""},
		{"its end only", func(h []Transition) []Transition { return h[5:] }, ""},
		{"a gap", func(h []Transition) []Transition { return append(h[:8:8], h[10:]...) }, "may not follow"},
		{"a missing status", func(h []Transition) []Transition { return append(h[:6:6], h[7:]...) }, "begins in"},
		{"an end without exit", func(h []Transition) []Transition { h[len(h)-2].Exit = nil; return h }, "carries its exit"},
		{"an exit in between", func(h []Transition) []Transition { h[3].Exit = &Exit{}; return h }, "carries its exit"},
		{"a wrong step", func(h []Transition) []Transition { h[6].To = Stopped; return h }, "no step leads"},
		{"a stale generation", func(h []Transition) []Transition { h[3].Generation = 7; return h }, "without a launch"},
		{"a generation left out", func(h []Transition) []Transition { h[len(h)-1].Generation = 7; return h }, "must be 2"},
		{"a state at rest", func(h []Transition) []Transition { h[len(h)-2].State = Execution; return h }, "no process lives"},
		{"a generation back", func(h []Transition) []Transition {
			last := &h[len(h)-1]
			last.Cause, last.Generation = CauseRecovery, 0
			return h
		}, "went back"},
	} {
		err := CheckPath(c.spoil(good()))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestStateTable is the contract's list, written a second time by hand.
func TestStateTable(t *testing.T) {
	order := []State{NoState, Launch, Configuration, Connect, Start, Execution, StopTimeWait, StopExecution, StopCleanup}
	for i, from := range order {
		for j, to := range order {
			early := from >= Launch && from < Execution
			want := j == i || j == i+1 || early && (to == StopTimeWait || to == StopCleanup)
			if got := from.MayReport(to); got != want {
				t.Errorf("%v to %v: %v, want %v", from, to, got, want)
			}
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	type all struct {
		Status  Status
		Desired Desired
		State   State
		Cause   Cause
		Mode    RestartMode
	}
	for i := range uint8(12) {
		in := all{Status(i % 8), Desired(i % 2), State(i % 9), Cause(i % 9), RestartMode(i % 3)}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out all
		if err := json.Unmarshal(text, &out); err != nil || out != in {
			t.Errorf("%s came back as %+v, %v", text, out, err)
		}
	}
	if text, _ := json.Marshal(all{Running, Up, Execution, CauseCommand, OnFailure}); string(text) !=
		`{"Status":"running","Desired":"up","State":"COMPONENT_EXECUTION","Cause":"command","Mode":"onFailure"}` {
		t.Errorf("the contract's names are not %s", text)
	}
}

func TestUnknownNames(t *testing.T) {
	if _, err := ParseStatus("dead"); err == nil || !strings.Contains(err.Error(), `unknown status "dead": it is one of stopped, waiting`) {
		t.Errorf("got %v", err)
	}
	if _, err := ParseState("EXECUTION"); err == nil || strings.Contains(err.Error(), "of ,") {
		t.Errorf("got %v", err)
	}
	if _, err := json.Marshal(Status(99)); err == nil {
		t.Error("a status without a name was written")
	}
	if got := Status(99).String(); got != "status(99)" {
		t.Errorf("got %s", got)
	}
	kept := Running
	if err := kept.UnmarshalText([]byte("dead")); err == nil || kept != Running {
		t.Errorf("a failed read left %v", kept)
	}
}

func TestLadderIsTheCallersOwn(t *testing.T) {
	Ladder(true)[0].Action = Kill
	if Ladder(true)[0].Action != Ask {
		t.Error("the ladder was changed through its copy")
	}
}
