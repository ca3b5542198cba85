package election

import (
	"flag"
	"strings"
	"testing"
)

var whole = flag.Bool("model.whole", false, "explore the larger systems too: two minutes, two gigabytes")

// explored is what came of looking at all states of a system.
type explored struct {
	states int
	wrong  string   // what must never be, "" if it never is
	trace  []string // the shortest way there
}

// explore visits every state that can be reached, nearest first, and stops at
// the first that must not be. States that differ only in how peers and
// controllers are numbered count once.
func explore(r rules) explored {
	alike := renumberings(r)
	first := model{}
	seen := map[model]bool{first: true}
	states, from := []model{first}, []int32{-1}
	var steps []step
	for at := int32(0); int(at) < len(states); at++ {
		steps = states[at].next(r, steps[:0])
		for _, s := range steps {
			if s.wrong != "" {
				return explored{len(states), s.wrong, retell(r, path(states, from, at))}
			}
			to := s.to.plainest(alike)
			if !seen[to] {
				seen[to] = true
				states, from = append(states, to), append(from, at)
			}
		}
	}
	return explored{states: len(states)}
}

// path is how a state was come by first.
func path(states []model, from []int32, at int32) []model {
	if at <= 0 {
		return nil
	}
	return append(path(states, from, from[at]), states[at])
}

// retell tells a path, and the wrong step at its end, with the numbers that
// peers and controllers had at the beginning.
func retell(r rules, path []model) (steps []string) {
	alike := renumberings(r)
	var now model
	for _, next := range path {
		for _, s := range now.next(r, nil) {
			if s.to.plainest(alike) == next {
				steps, now = append(steps, s.String()), s.to
				break
			}
		}
	}
	for _, s := range now.next(r, nil) {
		if s.wrong != "" {
			return append(steps, s.String()+": "+s.wrong)
		}
	}
	return steps
}

func TestNoEffectOfATermThatIsOver(t *testing.T) {
	systems := []rules{{controllers: 2, peers: 2, terms: 2}}
	if *whole {
		systems = append(systems, rules{controllers: 2, peers: 2, terms: 3}, rules{controllers: 3, peers: 2, terms: 2}, rules{controllers: 2, peers: 3, terms: 2})
	}
	for _, r := range systems {
		e := explore(r)
		if e.wrong != "" {
			t.Errorf("%+v: %s:\n%s", r, e.wrong, strings.Join(e.trace, "\n"))
		}
		t.Logf("%d controllers, %d peers, %d terms: %d states", r.controllers, r.peers, r.terms, e.states)
	}
}

// What keeps it so is found missing: each rule by itself.
func TestModelFindsWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		r    rules
		want string
	}{
		"the fence":             {rules{controllers: 2, peers: 2, terms: 2, noFence: true}, "an effect of a term that was over"},
		"the compare and write": {rules{controllers: 2, peers: 2, terms: 2, noCompare: true}, "two peers have acted in one term"},
	} {
		t.Run(name, func(t *testing.T) {
			e := explore(c.r)
			if e.wrong != c.want {
				t.Errorf("%d states without a fault, or another: %q", e.states, e.wrong)
			}
			t.Logf("after %d states:\n%s", e.states, strings.Join(e.trace, "\n"))
		})
	}
}
