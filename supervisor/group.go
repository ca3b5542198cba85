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
	members []*node // in start order
	crashes []time.Time
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
		g.conf = conf
		s.groups[name] = g
	}
}

// linkGroups gives each group its members.
func (s *Supervisor) linkGroups() {
	for _, g := range s.groups {
		g.members = nil
	}
	for _, n := range s.list {
		n.group = s.groups[n.key.Application+"/"+n.spec.Group]
		if n.group != nil && n.place >= 0 {
			n.group.members = append(n.group.members, n)
		}
	}
}

// later lists the members that the group starts after n.
func (g *grouping) later(n *node) []*node {
	if g.conf.Strategy == "oneForOne" {
		return nil
	}
	i := slices.Index(g.members, n)
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

// affected reports whether m goes down when n crashed.
func (g *grouping) affected(n, m *node) bool {
	switch g.conf.Strategy {
	case "oneForAll":
		return m != n
	case "restForOne":
		return n.place >= 0 && m.place > n.place
	}
	return false
}

// watchGroup acts on the crash of a member.
func (s *Supervisor) watchGroup(n *node, v *View) {
	g, m := n.group, v.Machine
	if g == nil {
		return
	}
	if m.Desired == lifecycle.Up && m.Status == lifecycle.Running && g.allUp() {
		g.together = false
	}
	crashed := m.Desired == lifecycle.Up && (m.Status == lifecycle.Backoff || m.Status == lifecycle.Failed)
	if !crashed || n.crashed == m.Generation {
		return
	}
	n.crashed = m.Generation
	if g.failed != "" {
		return
	}
	var others []*node
	for _, o := range g.members {
		if o.actor != nil && g.affected(n, o) {
			others = append(others, o)
		}
	}
	if g.count(s.now()) || m.Status == lifecycle.Failed && len(others) > 0 {
		s.failGroup(g, v)
		return
	}
	for _, o := range others {
		if ov := o.view(); ov.Machine.Desired == lifecycle.Up && !ov.AtRest() {
			g.together = true
			o.impose(lifecycle.Event{Kind: lifecycle.EvRestart, Cause: lifecycle.CauseDependency, Detail: v.Name + " of its group ended"})
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
	for _, n := range g.members {
		if n.actor == nil {
			continue
		}
		n.crashed = n.view().Machine.Generation // its end is no further crash
		n.impose(lifecycle.Event{Kind: lifecycle.EvGiveUp, Cause: lifecycle.CauseDependency, Detail: g.failed})
	}
	if g.conf.OnFailure == "stopPeer" && s.opts.Escalate != nil {
		s.opts.Escalate(g.failed)
	}
}

// forgive lets a failed group work again: an operator starts one of its members.
func (g *grouping) forgive() {
	if g != nil && g.failed != "" {
		g.failed, g.crashes = "", nil
	}
}

func (g *grouping) allUp() bool {
	return !slices.ContainsFunc(g.members, (*node).onItsWay)
}

// onItsWay reports whether a member of a group is not where it is to be.
func (n *node) onItsWay() bool {
	return n.actor != nil && (n.pending != nil || !n.view().Started() && n.comingUp())
}

// gate keeps the members in order while they go down and come back together.
// It is closed while a member lives that takes others with it, so that no
// backoff is too short for them.
func (g *grouping) gate(n *node) string {
	v := n.view()
	for _, m := range g.members {
		if m.actor == nil || !g.affected(n, m) {
			continue
		}
		other := m.view()
		if other.AtRest() || stuck(other) {
			continue
		}
		if m.pending != nil || other.Machine.Status == lifecycle.Stopping || !v.AtRest() {
			return "its group restarts together: " + m.key.Name + " is still " + other.Machine.Status.String()
		}
	}
	if !g.together {
		return ""
	}
	for _, m := range g.members {
		switch {
		case m == n:
			return ""
		case m.onItsWay():
			return "its group restarts in order: waiting for " + m.key.Name + " (it is " + m.view().Machine.Status.String() + ")"
		}
	}
	return ""
}
