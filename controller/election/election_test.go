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

// The model: two controllers with views that lag, two channels, one record
// written by compare and swap, PRIMARY messages that arrive late and out of
// order, and a target that both channels act upon whenever they believe to be
// primary.

const (
	channels    = 2
	controllers = 2
	maxTerm     = 3
)

type model struct {
	alive    [channels]bool
	record   Record // Channel "0" or "1"
	revision uint64
	views    [controllers]struct {
		alive  [channels]bool
		record Record
	}
	sent     [maxTerm + 1]int8 // by term: which channel is told that it is primary, -1 nobody
	believes [channels]uint64  // the term a channel acts in, 0 none
	acted    [maxTerm + 1]int8 // by term: who has had an effect, -1 nobody
	order    uint64            // the term of the latest effect
	fence    Fence             // of the target
	seen     [channels]Fence   // of the channels: PRIMARY with a lower term is refused
}

func start() model {
	m := model{}
	for i := range m.sent {
		m.sent[i], m.acted[i] = -1, -1
	}
	return m
}

func name(i int) string { return string(rune('0' + i)) }

// next returns every state one step away.
func (m model) next(fenced bool) (states []model, broken string) {
	add := func(n model) { states = append(states, n) }
	for c := range channels {
		n := m // a channel comes or goes; what it believes outlives its connection (a pause)
		n.alive[c] = !n.alive[c]
		add(n)
		if m.believes[c] != 0 {
			n, why := m.act(c, fenced)
			if why != "" {
				return nil, why
			}
			add(n)
		}
		for term := uint64(1); term <= maxTerm; term++ {
			if m.sent[term] == -1 {
				continue
			}
			n := m // PRIMARY arrives, however late
			if n.seen[c].Admit(term) {
				n.believes[c] = 0
				if m.sent[term] == int8(c) {
					n.believes[c] = term
				}
				add(n)
			}
		}
	}
	for k := range controllers {
		n := m
		n.views[k].alive = m.alive
		add(n)
		n = m
		n.views[k].record = m.record
		add(n)
		add(m.decide(k))
	}
	return states, ""
}

func (m model) decide(k int) model {
	v := m.views[k]
	var candidates []string
	for c, alive := range v.alive {
		if alive {
			candidates = append(candidates, name(c))
		}
	}
	d := Decide(v.record, candidates, func(int) int { return 0 })
	if d.Action == Keep || v.record.Term != m.record.Term || m.revision == maxTerm {
		return m // nothing to do, or the write is refused
	}
	m.revision++
	m.record = Record{}
	if d.Action == Elect {
		m.record = Record{d.Channel, m.revision}
		m.sent[m.revision] = int8(d.Channel[0] - '0')
	}
	m.views[k].record = m.record
	return m
}

func (m model) act(c int, fenced bool) (model, string) {
	term := m.believes[c]
	if fenced && !m.fence.Admit(term) {
		return m, ""
	}
	if m.acted[term] != -1 && m.acted[term] != int8(c) {
		return m, "two channels acted in one term"
	}
	if term < m.order {
		return m, "an effect of a term that was over"
	}
	m.acted[term], m.order = int8(c), term
	return m, ""
}

// explore visits every reachable state and returns what is wrong with one.
func explore(fenced bool) (states int, broken string) {
	first := start()
	seen := map[model]bool{first: true}
	for queue := []model{first}; len(queue) > 0; queue = queue[1:] {
		states, why := queue[0].next(fenced)
		if why != "" {
			return len(seen), why
		}
		for _, n := range states {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	return len(seen), ""
}

func TestNoEffectOfATermThatIsOver(t *testing.T) {
	states, broken := explore(true)
	if broken != "" {
		t.Errorf("with the fence: %s", broken)
	}
	t.Logf("%d states", states)
	if _, broken := explore(false); broken == "" {
		t.Error("without the fence the model must find an effect of a term that was over")
	}
}
