package election

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	last := func(n int) int { return n - 1 }
	for _, c := range []struct {
		name       string
		record     Record
		candidates []string
		want       Decision
	}{
		{"nobody, and nobody to elect", Record{}, nil, Decision{Action: Keep}},
		{"the first", Record{}, []string{"a"}, Decision{Elect, "a"}},
		{"picked among several", Record{}, []string{"a", "b"}, Decision{Elect, "b"}},
		{"a living primary stays", Record{"a", 7}, []string{"b", "a"}, Decision{Action: Keep}},
		{"a dead primary is replaced", Record{"c", 7}, []string{"a", "b"}, Decision{Elect, "b"}},
		{"the last one has gone", Record{"a", 7}, nil, Decision{Action: Vacate}},
		{"a channel without term is no primary", Record{"a", 0}, []string{"a"}, Decision{Elect, "a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Decide(c.record, c.candidates, last); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDecideIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		candidates := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.ID[string]).Draw(t, "candidates")
		r := Record{rapid.SampledFrom([]string{"a", "b", "x"}).Draw(t, "primary"), rapid.Uint64Range(0, 3).Draw(t, "term")}
		d := Decide(r, candidates, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") })
		alive := r.Term != 0 && slices.Contains(candidates, r.Channel)
		switch {
		case alive != (d.Action == Keep) && (len(candidates) > 0 || r.Term != 0):
			t.Errorf("a living primary is kept, and only that: %+v", d)
		case d.Action == Elect && !slices.Contains(candidates, d.Channel):
			t.Errorf("elected %q, who is no candidate", d.Channel)
		case d.Action == Vacate && len(candidates) > 0:
			t.Error("vacated although there are candidates")
		}
	})
}
