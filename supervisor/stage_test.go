package supervisor_test

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// stage is the components' side of a simulation: a launcher whose components
// behave at random, and a journal. It checks the rules that show there.
type stage struct {
	t *testing.T

	mu      sync.Mutex // guards all following fields
	rand    *rand.Rand
	quiet   bool // nothing happens by itself any more
	alive   map[supervisor.Key]*actorOnStage
	newest  map[supervisor.Key]uint64
	ends    map[supervisor.Key]time.Time // of the latest generation, or when it was lost otherwise
	done    map[supervisor.Key]bool      // its latest generation has completed
	specs   map[supervisor.Key]*profiles.Spec
	planned time.Time // the last reload
	records map[supervisor.Key][]lifecycle.Transition
	full    bool // the journal refuses
}

func newStage(t *testing.T, seed uint64) *stage {
	return &stage{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)),
		alive: map[supervisor.Key]*actorOnStage{}, newest: map[supervisor.Key]uint64{},
		ends: map[supervisor.Key]time.Time{}, done: map[supervisor.Key]bool{},
		specs: map[supervisor.Key]*profiles.Spec{}, records: map[supervisor.Key][]lifecycle.Transition{},
	}
}

// actorOnStage is one generation; it implements supervisor.Handle.
type actorOnStage struct {
	s          *stage
	key        supervisor.Key
	spec       *profiles.Spec
	generation uint64
	sink       supervisor.Sink
	orders     chan syscall.Signal

	// Guarded by the stage:
	born    time.Time
	ready   bool
	ordered time.Time // when it was told to stop; zero: not
	budget  time.Duration
}

// role is how a generation behaves.
type role struct {
	readyAfter time.Duration // negative: never
	lives      time.Duration // from ready on; 0: for ever
	code       int
	deaf       bool
	slow       time.Duration // from the stop signal to its end
	leftover   time.Duration // its tree outlives the leader so long; 0: not
	sick       time.Duration // then its health is bad; 0: never
}

func (s *stage) roleOf(spec *profiles.Spec) role {
	if s.quiet {
		r := role{readyAfter: 10 * time.Millisecond}
		if spec.OneShot {
			r.lives = time.Second
		}
		return r
	}
	r := role{readyAfter: time.Duration(s.rand.IntN(5000)) * time.Millisecond, code: s.rand.IntN(3)}
	switch s.rand.IntN(20) {
	case 0:
		r.readyAfter = -1
	case 1, 2:
		r.lives = time.Duration(1 + s.rand.IntN(1000))
	case 3:
	default:
		r.lives = time.Duration(s.rand.ExpFloat64()*float64(2*time.Hour)) + 1
	}
	if spec.OneShot {
		r.lives = time.Duration(1+s.rand.IntN(600)) * time.Second
	}
	r.deaf = s.rand.IntN(10) == 0
	if s.rand.IntN(2) == 0 {
		r.slow = time.Duration(s.rand.IntN(25000)) * time.Millisecond
	}
	if s.rand.IntN(5) == 0 {
		r.leftover = time.Duration(1+s.rand.IntN(500)) * time.Millisecond
	}
	if spec.Health != nil && s.rand.IntN(3) == 0 {
		r.sick = time.Duration(s.rand.ExpFloat64()*float64(time.Hour)) + 1
	}
	return r
}

// Launch implements supervisor.Launcher.
func (s *stage) Launch(_ context.Context, spec *profiles.Spec, generation uint64, sink supervisor.Sink) supervisor.Handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := supervisor.KeyOf(spec)
	a := &actorOnStage{s: s, key: k, spec: spec, generation: generation, sink: sink, orders: make(chan syscall.Signal, 64), born: time.Now()}
	if s.alive[k] != nil {
		s.t.Errorf("%s: generation %d is launched while %d lives", k, generation, s.alive[k].generation)
	}
	if generation <= s.newest[k] {
		s.t.Errorf("%s: generation %d is launched after %d", k, generation, s.newest[k])
	}
	s.newest[k] = generation
	s.checkOrder(a)
	delete(s.done, k)
	if !s.quiet && s.rand.IntN(30) == 0 {
		s.ends[k] = time.Now()
		sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawnFailed, Detail: "resource temporarily unavailable"})
		return a
	}
	s.alive[k] = a
	go a.live(s.roleOf(spec))
	return a
}

// checkOrder: what it needs is there, or was until this very instant.
func (s *stage) checkOrder(a *actorOnStage) {
	for _, d := range a.spec.DependsOn {
		if d.Soft {
			continue
		}
		on := supervisor.Key{Application: a.key.Application, Name: d.On}
		now := s.alive[on]
		switch {
		case now != nil && now.born.Equal(a.born): // started anew at this very instant
		case s.planned.Equal(a.born), s.ends[on].Equal(a.born):
		case d.Condition == "completed" && s.done[on]:
		case d.Condition == "started" && s.serves(on):
		default:
			s.t.Errorf("%s is launched, and %s is not %s", a.key, on.Name, d.Condition)
		}
	}
}

// serves reports whether an instance does its work or has done it.
func (s *stage) serves(k supervisor.Key) bool {
	a := s.alive[k]
	return s.done[k] || a != nil && a.ready && (a.ordered.IsZero() || a.ordered.Equal(time.Now()))
}

// live plays the generation from spawn to end.
func (a *actorOnStage) live(r role) {
	a.sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawned, Pid: int(a.generation)})
	var ready, end, sick <-chan time.Time
	if r.readyAfter >= 0 {
		ready = time.After(r.readyAfter)
	}
	exit := lifecycle.Exit{Code: r.code}
	for over := false; !over; {
		select {
		case <-ready:
			ready = nil
			a.becomeReady()
			if r.lives > 0 {
				end = time.After(r.lives)
			}
			if r.sick > 0 {
				sick = time.After(r.sick)
			}
		case <-sick:
			sick = nil
			a.sink.Health(supervisor.HealthBad, "feels sick")
		case <-end:
			over = true
		case sig := <-a.orders:
			switch {
			case sig == syscall.SIGKILL:
				exit, over, r.leftover = lifecycle.Exit{Code: -1, Signal: "SIGKILL"}, true, 0
			case !r.deaf:
				exit = lifecycle.Exit{Code: -1, Signal: "SIGTERM"}
				end, ready = time.After(r.slow), nil
			}
		}
	}
	a.end(exit, r.leftover)
}

func (a *actorOnStage) becomeReady() {
	a.s.mu.Lock()
	a.ready = true
	a.s.mu.Unlock()
	a.sink.Emit(lifecycle.Event{Kind: lifecycle.EvReady})
}

// end is the leader's end, and then that of what it leaves behind: by itself,
// as nobody waits for it, or by force.
func (a *actorOnStage) end(exit lifecycle.Exit, leftover time.Duration) {
	if leftover > 0 {
		a.s.mu.Lock()
		a.ready = false
		a.s.ends[a.key] = time.Now()
		a.s.mu.Unlock()
		a.sink.Emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit})
		gone := time.After(leftover)
		for waiting := true; waiting; {
			select {
			case <-gone:
				waiting = false
			case sig := <-a.orders:
				waiting = sig != syscall.SIGKILL
			}
		}
	}
	s := a.s
	s.mu.Lock()
	delete(s.alive, a.key)
	s.ends[a.key] = time.Now()
	s.mu.Unlock()
	if leftover > 0 {
		a.sink.Emit(lifecycle.Event{Kind: lifecycle.EvGone})
	} else {
		a.sink.Emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit, TreeEmpty: true})
	}
	// What a dead generation still has to say changes nothing.
	for _, kind := range []lifecycle.EventKind{lifecycle.EvReady, lifecycle.EvGone, lifecycle.EvUnkillable, lifecycle.EvExited} {
		a.sink.Emit(lifecycle.Event{Kind: kind, Detail: "an echo", TreeEmpty: true})
	}
	a.sink.Health(supervisor.HealthBad, "an echo")
}

func (a *actorOnStage) Ask(time.Duration, string) {}
func (a *actorOnStage) Signal(sig syscall.Signal) { a.order(sig) }
func (a *actorOnStage) Kill()                     { a.order(syscall.SIGKILL) }
func (a *actorOnStage) Release()                  {}

func (a *actorOnStage) order(sig syscall.Signal) {
	a.s.mu.Lock()
	if a.ordered.IsZero() {
		a.ordered, a.budget = time.Now(), a.s.specs[a.key].StopWait
		a.budget = max(a.budget, a.spec.StopWait) // a change of it may be under way
	}
	a.s.mu.Unlock()
	select {
	case a.orders <- sig:
	default:
	}
}

// check holds what lives against the rules.
func (s *stage) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for k, a := range s.alive {
		if over := now.Sub(a.ordered) - a.budget; !a.ordered.IsZero() && over > 0 {
			s.t.Errorf("%s lives %v beyond its stop budget of %v", k, over, a.budget)
		}
		for _, d := range a.spec.DependsOn {
			on := supervisor.Key{Application: k.Application, Name: d.On}
			if d.Soft || d.Condition != "started" || s.serves(on) || !a.ordered.IsZero() {
				continue
			}
			if b := s.alive[on]; b != nil && b.ready {
				continue // it is going down, and waits for nobody any more
			}
			s.t.Errorf("%s lives on, and %s is not started", k, on.Name)
		}
	}
}

// known is what the journal knows of earlier generations.
func (s *stage) known() map[supervisor.Key]supervisor.Restored {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[supervisor.Key]supervisor.Restored{}
	for k, path := range s.records {
		known[k] = supervisor.Restored{Generation: path[len(path)-1].Generation}
	}
	return known
}

func (s *stage) living(k supervisor.Key) *actorOnStage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive[k]
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
	if s.full {
		return
	}
	s.full = true
	time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.full = false
	})
}

// strike kills some of those that live.
func (s *stage) strike(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	victims := make([]*actorOnStage, 0, len(s.alive))
	for _, a := range s.alive {
		victims = append(victims, a)
	}
	slices.SortFunc(victims, func(a, b *actorOnStage) int { return cmp.Compare(a.key.Name, b.key.Name) })
	for range min(n, len(victims)) {
		select {
		case victims[s.rand.IntN(len(victims))].orders <- syscall.SIGKILL:
		default:
		}
	}
}

// calm ends all trouble.
func (s *stage) calm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = true
}

func (s *stage) record(es []supervisor.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range es {
		if e.Transition.To == lifecycle.Completed && e.Transition.Generation == s.newest[e.Key] {
			s.done[e.Key] = true
		}
	}
	if s.full {
		return errors.New("no space left on device")
	}
	for _, e := range es {
		s.records[e.Key] = append(s.records[e.Key], e.Transition)
	}
	return nil
}

// checkRecords: every history is a path, and every generation has one end.
func (s *stage) checkRecords() {
	for k, path := range s.records {
		if err := lifecycle.CheckPath(path); err != nil {
			s.t.Errorf("history of %s: %v", k, err)
		}
		begins, ends := map[uint64]int{}, map[uint64]int{}
		for _, t := range path {
			if t.To == lifecycle.Starting && !t.From.Live() {
				begins[t.Generation]++
			}
			if t.Exit != nil {
				ends[t.Generation]++
			}
		}
		for generation, n := range begins {
			if n != 1 || ends[generation] != 1 {
				s.t.Errorf("%s: generation %d began %d times and ended %d times", k, generation, n, ends[generation])
			}
		}
	}
}
