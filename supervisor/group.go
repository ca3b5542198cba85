package supervisor

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// grouping is a supervision group at work.
type grouping struct {
	name    string
	conf    profiles.Group
	members []Key // in start order
	crashes []time.Time
	seen    map[Key]uint64 // generation of each member's last counted crash
	// together is set while the members that a strategy takes down are on their
	// way back up in order.
	together bool
	failed   string // why; "" while the group works
}

// regroup takes over the groups of a plan; what a group has counted stays.
func (s *Supervisor) regroup(confs map[string]profiles.Group) {
	old := s.groups
	s.groups = make(map[string]*grouping, len(confs))
	for name, conf := range confs {
		g := old[name]
		if g == nil {
			g = s.restoreGroup(name)
		}
		g.conf, g.members = conf, nil
		s.groups[name] = g
	}
}

func (s *Supervisor) groupOf(k Key) *grouping {
	spec := s.specs[k]
	if spec == nil || spec.Group == "" {
		return nil
	}
	g := s.groups[k.Application+"/"+spec.Group]
	if g == nil {
		return nil
	}
	if len(g.members) == 0 {
		for _, m := range s.order {
			if ms := s.specs[m]; ms != nil && m.Application == k.Application && ms.Group == spec.Group {
				g.members = append(g.members, m)
			}
		}
	}
	return g
}

// later lists the members that the group starts after k.
func (g *grouping) later(k Key) []Key {
	if g.conf.Strategy == "oneForOne" {
		return nil
	}
	i := slices.Index(g.members, k)
	if i < 0 { // it is leaving the plan
		return nil
	}
	return g.members[i+1:]
}

// count adds a crash at now and reports whether the group's intensity is
// exceeded: more than Intensity crashes within Period.
func (g *grouping) count(now time.Time) bool {
	g.crashes = slices.DeleteFunc(append(g.crashes, now), func(t time.Time) bool { return now.Sub(t) >= g.conf.Period })
	return g.conf.Intensity > 0 && len(g.crashes) > g.conf.Intensity
}

// affected lists who else goes down when k crashed.
func (g *grouping) affected(k Key) []Key {
	switch g.conf.Strategy {
	case "oneForAll":
		return slices.DeleteFunc(slices.Clone(g.members), func(m Key) bool { return m == k })
	case "restForOne":
		return g.later(k)
	}
	return nil
}

// watchGroup acts on the crash of a member.
func (s *Supervisor) watchGroup(v *View) {
	g := s.groupOf(v.Key)
	if g == nil {
		return
	}
	m := v.Machine
	if m.Desired == lifecycle.Up && m.Status == lifecycle.Running && s.allUp(g) {
		g.together = false
	}
	crashed := m.Desired == lifecycle.Up && (m.Status == lifecycle.Backoff || m.Status == lifecycle.Failed)
	if !crashed || g.seen[v.Key] == m.Generation {
		return
	}
	g.seen[v.Key] = m.Generation
	if g.failed != "" {
		return
	}
	if g.count(s.now()) || (m.Status == lifecycle.Failed && len(g.affected(v.Key)) > 0) {
		s.failGroup(g, v)
		return
	}
	for _, k := range g.affected(v.Key) {
		if a := s.actor(k); a != nil && a.view.Load().Machine.Desired == lifecycle.Up && !a.view.Load().AtRest() {
			g.together = true
			s.impose(k, lifecycle.Event{Kind: lifecycle.EvRestart, Cause: lifecycle.CauseDependency, Detail: v.Name + " of its group ended"})
		}
	}
}

// failGroup gives the group up: every member goes down and rests in failed,
// with the group's reason, until an operator starts it.
func (s *Supervisor) failGroup(g *grouping, v *View) {
	g.failed = fmt.Sprintf("group %s failed: %d ends within %s, the last of %s", g.name, len(g.crashes), g.conf.Period, v.Name)
	if v.Machine.Status == lifecycle.Failed {
		g.failed = fmt.Sprintf("group %s failed: %s failed", g.name, v.Name)
	}
	for _, k := range g.members {
		if a := s.actor(k); a != nil {
			g.seen[k] = a.view.Load().Machine.Generation // its end is no further crash
		}
		s.impose(k, lifecycle.Event{Kind: lifecycle.EvGiveUp, Cause: lifecycle.CauseDependency, Detail: g.failed})
	}
	if g.conf.OnFailure == "stopPeer" && s.opts.Escalate != nil {
		s.opts.Escalate(g.failed)
	}
}

// forgive lets a failed group work again: an operator starts one of its members.
func (s *Supervisor) forgive(k Key) {
	if g := s.groupOf(k); g != nil && g.failed != "" {
		g.failed, g.crashes = "", nil
	}
}

func (s *Supervisor) allUp(g *grouping) bool {
	for _, k := range g.members {
		if a := s.actor(k); a != nil {
			v := a.view.Load()
			if _, pending := s.pending[k]; pending || (!v.Started() && s.comingUp(v)) {
				return false
			}
		}
	}
	return true
}

// groupGate keeps the members in order while they go down and come back
// together. It is closed while a member lives that takes others with it, so
// that no backoff is too short for them.
func (s *Supervisor) groupGate(g *grouping, v *View) string {
	k := v.Key
	for _, m := range g.affected(k) {
		a := s.actor(m)
		if a == nil {
			continue
		}
		other := a.view.Load()
		if other.AtRest() || stuck(other) {
			continue
		}
		_, pending := s.pending[m]
		if pending || other.Machine.Status == lifecycle.Stopping || !v.AtRest() {
			return fmt.Sprintf("its group restarts together: %s is still %s", m.Name, other.Machine.Status)
		}
	}
	if !g.together {
		return ""
	}
	for _, m := range g.members {
		if m == k {
			return ""
		}
		a := s.actor(m)
		if a == nil {
			continue
		}
		v := a.view.Load()
		if _, pending := s.pending[m]; pending || (!v.Started() && s.comingUp(v)) {
			return fmt.Sprintf("its group restarts in order: waiting for %s (it is %s)", m.Name, v.Machine.Status)
		}
	}
	return ""
}
