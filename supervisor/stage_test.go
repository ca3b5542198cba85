package supervisor_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// stage is the components' side of a simulation: a launcher whose components
// behave at random, and a journal that at times refuses. It holds the
// supervisor to the rules that show there.
type stage struct {
	t *testing.T

	mu      sync.Mutex // guards all following fields
	rand    *rand.Rand
	quiet   bool // nothing happens by itself any more
	alive   map[supervisor.Key]*performer
	newest  map[supervisor.Key]uint64
	lost    map[supervisor.Key]time.Time // when the latest generation stopped serving
	done    map[supervisor.Key]bool      // its latest generation has completed
	specs   map[supervisor.Key]*profiles.Spec
	planned time.Time // the last reload
	records map[supervisor.Key][]supervisor.Entry
	full    bool                     // the journal refuses
	exits   map[genOf]lifecycle.Exit // how each generation that was spawned ended
}

// genOf names a generation.
type genOf struct {
	key        supervisor.Key
	generation uint64
}

func newStage(t *testing.T, seed uint64) *stage {
	return &stage{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)),
		alive: map[supervisor.Key]*performer{}, newest: map[supervisor.Key]uint64{},
		lost: map[supervisor.Key]time.Time{}, done: map[supervisor.Key]bool{},
		specs: map[supervisor.Key]*profiles.Spec{}, records: map[supervisor.Key][]supervisor.Entry{},
		exits: map[genOf]lifecycle.Exit{},
	}
}

// Launch implements supervisor.Launcher.
func (s *stage) Launch(ctx context.Context, spec *profiles.Spec, generation uint64, sink supervisor.Sink) supervisor.Handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := supervisor.KeyOf(spec)
	p := &performer{
		s: s, key: k, spec: spec, rules: spec, generation: generation, pid: 1000 + int(generation),
		ctx: ctx, sink: sink, orders: make(chan order, 64), born: time.Now(),
	}
	s.checkLaunch(p)
	s.newest[k] = generation
	delete(s.done, k)
	if !s.quiet && s.rand.IntN(30) == 0 {
		s.lost[k], p.ended = time.Now(), time.Now()
		sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawnFailed, Detail: "resource temporarily unavailable"})
		return p
	}
	s.alive[k] = p
	p.role = s.roleOf(spec)
	go p.perform()
	return p
}

// serves reports whether an instance does its work or has done it.
func (s *stage) serves(k supervisor.Key) bool {
	p := s.alive[k]
	return s.done[k] || p != nil && p.ready && (p.ordered.IsZero() || p.ordered.Equal(time.Now()))
}

// order is what the supervisor tells a generation.
func (p *performer) order(o order) {
	p.mark(func() {
		p.s.checkOrder(p, o)
		p.hardest = max(p.hardest, o)
		if p.ordered.IsZero() {
			p.ordered, p.budget = time.Now(), p.rules.StopWait
		}
	})
	select {
	case p.orders <- o:
	default:
	}
}

// mark changes what the stage guards of a performer.
func (p *performer) mark(change func()) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	change()
}

// retire: it serves nobody any more, though something of it lives.
func (p *performer) retire() {
	p.ready, p.forced = false, true
	p.s.lost[p.key] = time.Now()
}

// bury: nothing of it is left.
func (p *performer) bury() {
	delete(p.s.alive, p.key)
	p.s.lost[p.key], p.ended = time.Now(), time.Now()
	p.s.checkEnd(p)
}

// known is what the journal knows of earlier generations.
func (s *stage) known() map[supervisor.Key]supervisor.Restored {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[supervisor.Key]supervisor.Restored{}
	for k, path := range s.records {
		known[k] = supervisor.Restored{Generation: path[len(path)-1].Transition.Generation}
	}
	return known
}

// plan notes a reload.
func (s *stage) plan(p *profiles.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planned = time.Now()
	for _, sp := range p.Specs {
		s.specs[supervisor.KeyOf(sp)] = sp
	}
}

// outage makes the journal refuse for a while.
func (s *stage) outage(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full || s.quiet {
		return
	}
	s.full = true
	time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.full = false
	})
}

// strike kills some of those that live: others than the supervisor can.
func (s *stage) strike(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	victims := make([]*performer, 0, len(s.alive))
	for _, p := range s.alive {
		if p.role.stuck == 0 {
			victims = append(victims, p)
		}
	}
	slices.SortFunc(victims, func(a, b *performer) int { return cmp.Compare(a.key.Name, b.key.Name) })
	for range min(n, len(victims)) {
		select {
		case victims[s.rand.IntN(len(victims))].orders <- kill:
		default:
		}
	}
}

// force says that an operator lets these be killed.
func (s *stage) force(keys []supervisor.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if p := s.alive[k]; p != nil {
			p.forced = true
		}
	}
}

// calm ends all trouble.
func (s *stage) calm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet, s.full = true, false
}

// record is the journal.
func (s *stage) record(es []supervisor.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range es {
		if e.Transition.To == lifecycle.Completed && e.Transition.Generation == s.newest[e.Key] {
			s.done[e.Key] = true
		}
	}
	if len(es) > supervisor.MaxUnsaved+1 {
		s.broken(8, "%s holds %d records back", es[0].Key, len(es))
	}
	if s.full {
		return errors.New("no space left on device")
	}
	for _, e := range es {
		s.records[e.Key] = append(s.records[e.Key], e)
	}
	return nil
}

// broken reports a rule that does not hold.
func (s *stage) broken(rule int, format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("rule %d (%s): %s", rule, rules[rule], fmt.Sprintf(format, args...))
}
