package supervisor_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// rules are the nine that docs/simulation.md explains: what a simulation holds
// the supervisor to, at each launch, order, record and end, and whenever
// nothing moves.
var rules = [...]string{
	1: "what belongs to a dead generation changes nothing",
	2: "an end is what was waited for",
	3: "a stop is finished when the whole tree is gone, by its deadline",
	4: "one budget: ask, signal, kill",
	5: "what is acknowledged is on disk first",
	6: "an order goes to the living generation alone",
	7: "a definition is the old one or the new one, whole",
	8: "everything held is bounded, and what is lost is told",
	9: "a fact is stored once",
}

// checkLaunch: one generation at a time, each with a number of its own, known
// to the journal, launched by a definition of a plan, after what it needs.
func (s *stage) checkLaunch(p *performer) {
	if other := s.alive[p.key]; other != nil {
		s.broken(3, "%s: generation %d is launched while %d lives", p.key, p.generation, other.generation)
	}
	if p.generation <= s.newest[p.key] {
		s.broken(1, "%s: generation %d is launched after %d", p.key, p.generation, s.newest[p.key])
	}
	if last := s.lastOf(p.key); last == nil || last.Generation != p.generation || last.To != lifecycle.Starting {
		s.broken(5, "%s: generation %d is launched, and the journal does not know", p.key, p.generation)
	}
	if now := s.specs[p.key]; !sameDefinition(now, p.spec) && !s.planned.Equal(p.born) {
		s.broken(7, "%s is launched by a definition that is not the plan's", p.key)
	}
	for _, d := range p.spec.DependsOn {
		if d.Soft {
			continue
		}
		on := supervisor.Key{Application: p.key.Application, Name: d.On}
		now := s.alive[on]
		switch {
		case now != nil && now.born.Equal(p.born): // started anew at this very instant
		case s.planned.Equal(p.born), s.lost[on].Equal(p.born):
		case d.Condition == "completed" && s.done[on]:
		case d.Condition == "started" && s.serves(on):
		default:
			s.t.Errorf("%s is launched, and %s is not %s", p.key, on.Name, d.Condition)
		}
	}
}

func (s *stage) lastOf(k supervisor.Key) *lifecycle.Transition {
	path := s.records[k]
	if len(path) == 0 {
		return nil
	}
	return &path[len(path)-1].Transition
}

func sameDefinition(a, b *profiles.Spec) bool {
	return a.Hash == b.Hash && a.LiveHash == b.LiveHash && a.StopWait == b.StopWait && a.Enabled == b.Enabled
}

// checkOrder: never after the end, never softer than before, and never force
// before the budget is spent unless there is a reason for it.
func (s *stage) checkOrder(p *performer, o order) {
	now := time.Now()
	if !p.ended.IsZero() && now.After(p.ended) {
		s.broken(6, "%s: generation %d is told to stop %v after its end", p.key, p.generation, now.Sub(p.ended))
	}
	if o < p.hardest {
		s.broken(4, "%s: order %d comes after order %d", p.key, o, p.hardest)
	}
	early := p.ordered.IsZero() || now.Sub(p.ordered) < p.budget
	late := !p.ready && now.Sub(p.born) >= p.spec.LaunchTimeout
	if o == kill && early && !late && !p.forced {
		s.broken(4, "%s: generation %d is killed %v after it was asked to stop", p.key, p.generation, now.Sub(p.ordered))
	}
	if o == signal && p.ordered.IsZero() && p.spec.CCP && p.ready && !p.forced {
		s.broken(4, "%s: generation %d is signalled and was never asked", p.key, p.generation)
	}
}

// checkEnd: whoever was told to stop has done so in time, but for what cannot
// be killed.
func (s *stage) checkEnd(p *performer) {
	if over := time.Since(p.ordered) - p.budget; !p.ordered.IsZero() && over > 0 && p.role.stuck == 0 {
		s.broken(4, "%s ended %v beyond its stop budget of %v", p.key, over, p.budget)
	}
}

// Settled implements supervisor.Settler.
func (p *performer) Settled() {
	p.mark(func() {
		for _, e := range p.s.records[p.key] {
			if e.Transition.Generation == p.generation && e.Transition.Exit != nil {
				return
			}
		}
		p.s.broken(5, "%s: the end of generation %d counts as settled, and the journal does not know it", p.key, p.generation)
	})
}

// check holds what lives against the rules, when nothing moves.
func (s *stage) check(views []*supervisor.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, p := range s.alive {
		if over := now.Sub(p.ordered) - p.budget; !p.ordered.IsZero() && over > 0 && p.role.stuck == 0 {
			s.broken(4, "%s lives %v beyond its stop budget of %v", p.key, over, p.budget)
		}
		if limit := 10 * p.spec.LaunchTimeout; !p.ready && p.ordered.IsZero() && now.Sub(p.born) > limit {
			s.broken(3, "%s is not started, and lives %v after its launch", p.key, now.Sub(p.born))
		}
		s.checkNeeds(p)
	}
	for _, v := range views {
		s.checkView(v)
	}
}

func (s *stage) checkNeeds(p *performer) {
	for _, d := range p.spec.DependsOn {
		on := supervisor.Key{Application: p.key.Application, Name: d.On}
		if d.Soft || d.Condition != "started" || s.serves(on) || !p.ordered.IsZero() {
			continue
		}
		if b := s.alive[on]; b != nil && b.ready {
			continue // it is going down, and waits for nobody any more
		}
		s.t.Errorf("%s lives on, and %s is not started", p.key, on.Name)
	}
}

// checkView holds one view against what lives and what is on disk.
func (s *stage) checkView(v *supervisor.View) {
	m, p := v.Machine, s.alive[v.Key]
	switch {
	case p != nil && p.generation != m.Generation:
		s.broken(1, "%s: generation %d lives, the view says %d", v.Key, p.generation, m.Generation)
	case p == nil && !v.AtRest():
		s.broken(2, "%s is %s, and nothing of it lives", v.Key, m.Status)
	case p != nil && v.AtRest():
		s.broken(3, "%s is %s, and it lives", v.Key, m.Status)
	case p != nil && p.ready != (m.Status == lifecycle.Running) && p.ordered.IsZero():
		s.broken(1, "%s is %s; ready is %t", v.Key, m.Status, p.ready)
	case p != nil && m.Pid != p.pid:
		s.broken(6, "%s has pid %d, the view says %d", v.Key, p.pid, m.Pid)
	}
	if p != nil && p.held && (m.Status != lifecycle.Stopping || !strings.HasPrefix(m.Reason, "unkillable")) {
		s.broken(3, "%s cannot be killed and is %s: %q", v.Key, m.Status, m.Reason)
	}
	if m.Status == lifecycle.Waiting && m.Reason == "" || m.Status == lifecycle.Failed && m.Reason == "" {
		s.t.Errorf("%s is %s for no reason", v.Key, m.Status)
	}
	if v.Fault == nil {
		s.checkDisk(v)
	}
	s.checkDefinition(v, p)
}

// checkDisk: a view without a fault is what the last record says.
func (s *stage) checkDisk(v *supervisor.View) {
	m, last := v.Machine, s.lastOf(v.Key)
	if last == nil {
		if m.Generation != 0 {
			s.broken(5, "%s is in generation %d, and the journal knows nothing of it", v.Key, m.Generation)
		}
		return
	}
	on := lifecycle.Resume(*last, m.Desired)
	if on.Status != m.Status || on.Generation != m.Generation || on.State != m.State || on.Desired != m.Desired {
		s.broken(9, "%s: the view says %s %s, generation %d, wanted %s; the journal %s %s, generation %d, wanted %s", v.Key,
			m.Status, m.State, m.Generation, m.Desired, on.Status, on.State, on.Generation, on.Desired)
	}
}

// checkDefinition: at rest the plan's definition holds, and what runs by an
// older one is on its way down.
func (s *stage) checkDefinition(v *supervisor.View, p *performer) {
	plan := s.specs[v.Key]
	if v.AtRest() && !sameDefinition(v.Spec, plan) {
		s.broken(7, "%s rests with a definition that is not the plan's", v.Key)
	}
	if p == nil || p.spec.Hash == plan.Hash || !p.ordered.IsZero() {
		return
	}
	if time.Since(s.planned) > time.Hour { // stops that wait for others have long been sent
		s.broken(7, "%s runs by an older definition", v.Key)
	}
}

// checkUntouched: a reload that does not concern an instance did not move it;
// an operator's stop that was held back may have.
func (s *stage) checkUntouched(before, now *supervisor.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.records[before.Key]) {
		t := e.Transition
		if t.Generation == before.Machine.Generation && t.From == before.Machine.Status && t.To != t.From {
			if t.Cause != lifecycle.CauseCommand {
				s.broken(7, "a reload that does not concern %s takes it to %s: %+v", before.Key, now.Machine.Status, t)
			}
			return
		}
	}
}

// tail is the end of an instance's history, for a failure's message.
func (s *stage) tail(k supervisor.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	path := s.records[k]
	for _, e := range path[max(0, len(path)-6):] {
		fmt.Fprintf(&b, "\n\t%s %+v", e.At.Format(time.StampMilli), e.Transition)
	}
	return b.String()
}

// checkRecords: every history is a path, without a record said twice, and every
// generation that lived has one end, the one that was waited for.
func (s *stage) checkRecords() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, entries := range s.records {
		begins, ends := map[uint64]int{}, map[uint64]int{}
		var path []lifecycle.Transition
		for i, e := range entries {
			if e.Lost > 0 {
				s.checkPath(k, path)
				path = nil
			}
			path = append(path, e.Transition)
			if i > 0 && e.At.Equal(entries[i-1].At) && reflect.DeepEqual(e.Transition, entries[i-1].Transition) {
				s.broken(9, "%s: a record is there twice: %+v", k, e.Transition)
			}
			if e.Transition.To == lifecycle.Starting && !e.Transition.From.Live() {
				begins[e.Transition.Generation]++
			}
			if x := e.Transition.Exit; x != nil {
				ends[e.Transition.Generation]++
				if was, ok := s.exits[genOf{k, e.Transition.Generation}]; ok && was != *x {
					s.broken(2, "%s: generation %d ended with %v, recorded is %v", k, e.Transition.Generation, was, *x)
				}
			}
		}
		s.checkPath(k, path)
		for generation, n := range begins {
			if _, lived := s.exits[genOf{k, generation}]; lived && (n != 1 || ends[generation] != 1) || n > 1 || ends[generation] > 1 {
				s.broken(5, "%s: generation %d began %d times and ended %d times", k, generation, n, ends[generation])
			}
		}
	}
	for g := range s.exits {
		if len(s.records[g.key]) == 0 {
			s.broken(5, "%s: nothing is on record", g.key)
		}
	}
}

func (s *stage) checkPath(k supervisor.Key, path []lifecycle.Transition) {
	if err := lifecycle.CheckPath(path); err != nil {
		s.broken(1, "the history of %s is no path of the machine: %v", k, err)
	}
}
