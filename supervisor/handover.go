package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// ErrUnsettled says that something which was asked for is not in the hands of
// its instance yet.
var ErrUnsettled = errors.New("not settled")

// Handover is what the next supervisor needs to go on where this one was
// frozen. Its JSON is read by programs one version apart.
type Handover struct {
	Instances []Snapshot      `json:"instances"`
	Groups    []GroupSnapshot `json:"groups,omitempty"`
}

// Snapshot is one instance of a Handover.
type Snapshot struct {
	Application  string          `json:"application"`
	Name         string          `json:"name"`
	Machine      lifecycle.Saved `json:"machine"`
	Live         []byte          `json:"live,omitempty"` // what its Identifier said; nil: there is no process
	Health       Health          `json:"health,omitempty"`
	HealthDetail string          `json:"healthDetail,omitempty"`
	LastExitAt   time.Time       `json:"lastExitAt,omitzero"`
}

// Key is the instance's.
func (s Snapshot) Key() Key { return Key{s.Application, s.Name} }

// GroupSnapshot is what a group has counted.
type GroupSnapshot struct {
	Name     string      `json:"name"` // application/group
	Crashes  []time.Time `json:"crashes,omitempty"`
	Seen     []GroupSeen `json:"seen,omitempty"`
	Together bool        `json:"together,omitempty"`
	Failed   string      `json:"failed,omitempty"`
}

// GroupSeen is the generation of a member's last counted crash.
type GroupSeen struct {
	Application string `json:"application"`
	Name        string `json:"name"`
	Generation  uint64 `json:"generation"`
}

// Messages to the owner.
type (
	settleMsg struct{ settled chan<- error }
	freezeMsg struct{ frozen chan<- freezing }
)

// freezing is the answer to a freezeMsg.
type freezing struct {
	snapshots <-chan Snapshot // of so many instances
	instances int
	groups    []GroupSnapshot
	err       error
}

// Settle waits until everything that was asked for is in the hands of its
// instance, and what left the plan is gone; the error of a ctx that ends before
// says what is missing. Without further intents it stays so, but for what
// groups and gates decide by themselves.
func (s *Supervisor) Settle(ctx context.Context) error {
	settled := make(chan error, 1)
	err := s.tell(ctx, settleMsg{settled}, settled)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", err, s.whatIsMissing())
	}
	return err
}

// whatIsMissing names an instance that has not come to where it was told to go.
func (s *Supervisor) whatIsMissing() error {
	for _, v := range s.Views() {
		switch {
		case v.Fault != nil:
			return fmt.Errorf("%w: the journal refuses what became of %s: %w", ErrUnsettled, v.Key, v.Fault)
		case v.Machine.Status == lifecycle.Stopping:
			return fmt.Errorf("%w: %s is still going down", ErrUnsettled, v.Key)
		}
	}
	return ErrUnsettled
}

// Freeze ends all decisions at one moment and returns what the next supervisor
// goes on with; from then on nothing is started, stopped or recorded here, and
// Run's end is all that follows. ErrUnsettled says that nothing was frozen:
// Settle first. Any other error leaves instances out of the Handover, as those
// of a supervisor that died.
func (s *Supervisor) Freeze(ctx context.Context) (Handover, error) {
	frozen := make(chan freezing, 1)
	if !s.mail.put(freezeMsg{frozen}) {
		return Handover{}, ErrStopped
	}
	var f freezing
	select {
	case f = <-frozen:
	case <-s.done:
		return Handover{}, ErrStopped
	}
	if f.err != nil {
		return Handover{}, f.err
	}
	h := Handover{Groups: f.groups}
	for len(h.Instances) < f.instances {
		select {
		case snap := <-f.snapshots:
			h.Instances = append(h.Instances, snap)
		case <-ctx.Done():
			return h, fmt.Errorf("not every instance could be frozen: %w", ctx.Err())
		}
	}
	return h, nil
}

// settle answers those who wait for everything to be settled, once it is.
func (s *Supervisor) settle() {
	if len(s.settling) == 0 || s.unsettled() {
		return
	}
	for _, answer := range s.settling {
		answer <- nil
	}
	s.settling = nil
}

// unsettled reports whether something asked for is only known here.
func (s *Supervisor) unsettled() bool {
	return len(s.drains) > 0 || slices.ContainsFunc(s.list, (*node).unsettled)
}

func (n *node) unsettled() bool {
	v := n.view()
	return n.leaving || n.wanted != nil && n.wanted.sent == 0 || !n.isSettled(v) || v.Fault != nil
}

// freeze has every actor save itself and hear nothing more.
func (s *Supervisor) freeze() freezing {
	if s.unsettled() {
		return freezing{err: ErrUnsettled}
	}
	s.frozen = true
	snapshots := make(chan Snapshot, len(s.list)) // nobody waits for who asked
	f := freezing{snapshots: snapshots, instances: len(s.list)}
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		f.groups = append(f.groups, s.groups[name].save(name))
	}
	for _, n := range s.list {
		n.actor.mail.put(saveYourselfMsg{snapshots})
	}
	return f
}

// decline answers who asks a frozen supervisor.
func decline(msg any) {
	switch msg := msg.(type) {
	case applyMsg:
		msg.applied <- ErrStopped
	case intentMsg:
		msg.taken <- ErrStopped
	case drainMsg:
		msg.drained <- ErrStopped
	case settleMsg:
		msg.settled <- ErrStopped
	case freezeMsg:
		msg.frozen <- freezing{err: ErrStopped}
	}
}

func (g *grouping) save(name string) GroupSnapshot {
	snap := GroupSnapshot{Name: name, Crashes: slices.Clone(g.crashes), Together: g.together, Failed: g.failed}
	for _, n := range g.members {
		if n.crashed != 0 {
			snap.Seen = append(snap.Seen, GroupSeen{n.key.Application, n.key.Name, n.crashed})
		}
	}
	return snap
}

// restoreGroup is a group with what an earlier supervisor has counted.
func (s *Supervisor) restoreGroup(name string) *grouping {
	g := &grouping{name: name}
	for _, snap := range s.opts.Groups {
		if snap.Name == name {
			g.crashes, g.together, g.failed = snap.Crashes, snap.Together, snap.Failed
		}
	}
	return g
}

// restoreCrashed is the last crash of an instance that an earlier supervisor's
// group has counted.
func (s *Supervisor) restoreCrashed(k Key) uint64 {
	for _, snap := range s.opts.Groups {
		for _, seen := range snap.Seen {
			if seen.Application == k.Application && seen.Name == k.Name {
				return seen.Generation
			}
		}
	}
	return 0
}

// saveYourself answers with the actor's state; it is the last that it does.
func (a *actor) saveYourself(to chan<- Snapshot) {
	a.frozen = true
	to <- Snapshot{
		Application: a.key.Application, Name: a.key.Name, Machine: a.machine.Save(), Live: a.identity(),
		Health: a.health, HealthDetail: a.detail, LastExitAt: a.exitAt,
	}
}

// resume adds an instance as another supervisor has left it.
func (s *Supervisor) resume(ctx context.Context, spec *profiles.Spec, before Restored, by string) {
	snap := before.Handed
	m, effects := lifecycle.Continue(snap.Machine, s.now(), policyOf(spec))
	n := newNode(s, spec, m)
	n.gate, n.crashed = m.Gate, s.restoreCrashed(n.key)
	a := n.actor
	a.health, a.detail, a.exitAt = snap.Health, snap.HealthDetail, snap.LastExitAt
	if before.Live != nil {
		a.adopt(ctx, Adoption{Generation: m.Generation, Status: m.Status, State: m.State, Live: before.Live, Handed: true})
	}
	s.place(n)
	s.wg.Go(func() {
		a.goOn(ctx, effects, before.Live)
		a.run(ctx)
	})
	if before.Changed {
		n.hold(lifecycle.Event{Kind: lifecycle.EvRestart, Cause: lifecycle.CauseReload, By: by, Detail: "definition changed"})
	}
}

// goOn sets the timers of what was adopted. What was to be stopped before it had a
// process will not get one.
func (a *actor) goOn(ctx context.Context, effects []lifecycle.Effect, live []byte) {
	_ = a.carryOut(ctx, effects) // nothing was reported that it could refuse
	if mon, ok := a.handle.(Monitor); ok && a.machine.Status == lifecycle.Running {
		mon.StartHealth(a.spec)
	}
	a.publish()
	if live == nil && a.machine.Status.Live() && a.handle == nil {
		sink{a: a, generation: a.machine.Generation}.Emit(lifecycle.Event{Kind: lifecycle.EvSpawnFailed, Detail: "stopped before it was spawned"})
	}
}
