package supervisor

import (
	"fmt"
	"strings"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// gateOf says what the instance would have to wait for now; "" is nothing.
func (s *Supervisor) gateOf(n *node) string {
	if p := s.permit(n.spec); p.Wait != "" {
		return p.Wait
	}
	for _, need := range n.needs {
		if why := need.unmet(true); why != "" {
			return why
		}
	}
	if why := n.leftBehind(); why != "" {
		return why
	}
	if n.group != nil {
		if why := n.group.gate(n); why != "" {
			return why
		}
	}
	return n.launchGate()
}

// leftBehind names a dependent that lives: should n end, the dependent goes
// down before n comes up again. The gate is closed while n still lives, so that
// no backoff is too short for it.
func (n *node) leftBehind() string {
	for _, f := range n.after {
		if f.soft || f.condition == "completed" || f.node.actor == nil {
			continue
		}
		if d := f.node.view(); !d.AtRest() && !stuck(d) {
			return f.node.key.Name + " depends on it and is still " + d.Machine.Status.String()
		}
	}
	return ""
}

// unmet says why a need does not hold; with starting, a soft one counts only
// while its target is still on the way up.
func (n need) unmet(starting bool) string {
	if n.on.actor == nil {
		if n.soft {
			return ""
		}
		return "dependency " + n.on.key.Name + " is not in the plan"
	}
	if p := n.on.pending; p != nil && starting && !n.soft {
		return "dependency " + n.on.key.Name + " is about to " + verb(p.event.Kind)
	}
	v := n.on.view()
	if satisfied(v, n.condition) || n.soft && !n.on.comingUp() {
		return ""
	}
	return "waiting for " + n.on.key.Name + " to be " + n.condition + " (it is " + v.Machine.Status.String() + reasonOf(v) + ")"
}

// reasonOf does not go on to what a waiting one waits for: reasons would grow
// with every step of a chain.
func reasonOf(v *View) string {
	if v.Machine.Reason == "" || v.Machine.Status == lifecycle.Waiting {
		return ""
	}
	return ": " + v.Machine.Reason
}

func verb(k lifecycle.EventKind) string {
	if k == lifecycle.EvRestart {
		return "restart"
	}
	return "stop"
}

func satisfied(v *View, condition string) bool {
	switch condition {
	case "completed":
		return v.Machine.Status == lifecycle.Completed
	case "healthy":
		return v.Machine.Status == lifecycle.Running && (v.Spec.Health == nil || v.Health == HealthGood)
	default:
		return v.Started()
	}
}

// launchGate holds an instance back while one of its application with a lower
// launchOrder is on its way up.
func (n *node) launchGate() string {
	for _, other := range n.before {
		if other.actor == nil {
			continue
		}
		v := other.view()
		if !v.Started() && (other.wanted != nil || v.Machine.Desired == lifecycle.Up) {
			return fmt.Sprintf("launch order %d waits for %s (it is %s%s)", n.spec.LaunchOrder, other.key.Name, v.Machine.Status, reasonOf(v))
		}
	}
	return ""
}

// lost says why a living instance may not go on; "" is that it may.
func (s *Supervisor) lost(n *node, v *View) string {
	if v.Machine.Status != lifecycle.Starting && v.Machine.Status != lifecycle.Running {
		return ""
	}
	if p := s.permit(n.spec); p.Wait != "" && p.Leave {
		return p.Wait
	}
	for _, need := range n.needs {
		if need.soft || need.condition == "completed" {
			continue
		}
		if need.on.actor == nil || !need.on.view().Started() {
			return "dependency " + need.on.key.Name + " is down"
		}
	}
	return ""
}

// stuck reports whether force was used on an instance and something of it is
// still there; others do not wait for it.
func stuck(v *View) bool {
	return v.Machine.Status == lifecycle.Stopping && strings.HasPrefix(v.Machine.Reason, "unkillable")
}
