package supervisor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// Errors that callers tell apart.
var (
	ErrStopped       = errors.New("the supervisor has stopped")
	ErrIllegalReport = errors.New("illegal state report")
	ErrNoChannel     = errors.New("component has no CCP channel")
	ErrDraining      = errors.New("everything is being stopped: nothing starts any more")
)

// Options of a Supervisor.
type Options struct {
	Launcher Launcher
	// Record puts transitions on disk before it returns.
	Record func([]Entry) error
	// Forget is told when an instance that left the plan is gone; may be nil.
	Forget func(Key)
	// Permit says whether an instance may run, beyond what its dependencies say.
	// It must not block; call Reconsider when its answers change. nil lets all run.
	Permit func(*profiles.Spec) Permit
	// Changed is told that some view is newer; it must not block; may be nil.
	Changed func()
	// Groups is what an earlier supervisor has counted, as its Handover says.
	Groups []GroupSnapshot
	// Escalate is told that a group with onFailure stopPeer has failed; may be nil.
	Escalate func(group string)
}

// Supervisor keeps the instances of a plan as they are wanted. One goroutine
// (Run) owns the plan, the order and the groups; one more per instance owns
// that instance. All methods are safe for concurrent use.
type Supervisor struct {
	opts Options
	mail *mailbox[any]
	done chan struct{}
	// views of all instances, replaced whole when the set changes.
	actors atomic.Pointer[map[Key]*actor]

	// Owned by Run:
	order  []Key                // start order of the plan
	nodes  map[Key]*node        // of all instances
	list   []*node              // the same in start order; those that leave the plan come first
	groups map[string]*grouping // by application/group
	serial uint64               // of the last event sent
	drains []chan<- error       // who waits for everything to be down; nothing starts once there is one
	// settling wait for everything to be settled; frozen: nothing is decided any more.
	settling []chan<- error
	frozen   bool
	wg       sync.WaitGroup
}

// Messages to the owner.
type (
	applyMsg struct {
		changes []profiles.Change
		order   []Key
		groups  map[string]profiles.Group
		restore map[Key]Restored
		by      string
		applied chan<- error
	}
	intentMsg struct {
		event lifecycle.Event
		keys  []Key
		taken chan<- error
	}
	drainMsg struct {
		event   lifecycle.Event
		drained chan<- error
	}
	noticeMsg struct{ key Key }
)

// Restored is what the journal knows of an instance from an earlier peer.
type Restored struct {
	Generation uint64
	Down       bool // an operator wanted it down
	// Live is the identity of a generation that may live still, or whose end
	// nobody has recorded; nil: there is none. Last is the newest record of it.
	Live    []byte
	Last    lifecycle.Transition
	Changed bool // the definition it was launched by is not the plan's
	// Rests says that it has completed or failed, as Last tells, and stays so
	// unless Down.
	Rests bool
	Since time.Time // of Last, where it Rests
	// Handed is what a Handover says of it; nil: its supervisor has died. Of what
	// it holds Live alone counts, as what lives was looked for.
	Handed *Snapshot
}

// New makes a supervisor; nothing happens before Run.
func New(o Options) *Supervisor {
	s := &Supervisor{
		opts: o, mail: newMailbox[any](), done: make(chan struct{}),
		nodes: map[Key]*node{}, groups: map[string]*grouping{},
	}
	s.actors.Store(&map[Key]*actor{})
	return s
}

func (s *Supervisor) now() time.Time { return time.Now() }

// Run owns the plan until ctx ends; then it lets go of every living instance
// without stopping it, and returns when no goroutine of its own is left. To
// stop the instances first, Act with EvStop on all Keys and Wait.
func (s *Supervisor) Run(ctx context.Context) error {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			s.mail.close()
			s.wg.Wait()
			return ctx.Err()
		case <-s.mail.ready:
		}
		var answers []func()
		for _, msg := range s.mail.take() {
			if s.frozen {
				decline(msg)
				continue
			}
			switch msg := msg.(type) {
			case applyMsg:
				err := s.apply(ctx, msg)
				answers = append(answers, func() { msg.applied <- err })
			case intentMsg:
				err := s.intend(msg)
				answers = append(answers, func() { msg.taken <- err })
			case drainMsg:
				s.drain(msg)
			case settleMsg:
				s.settling = append(s.settling, msg.settled)
			case freezeMsg:
				msg.frozen <- s.freeze()
			case noticeMsg:
				s.noticed(msg.key)
			}
		}
		if !s.frozen {
			s.evaluate()
		}
		for _, answer := range answers {
			answer()
		}
		if !s.frozen {
			s.drained()
			s.settle()
		}
	}
}

// Apply carries out the changes that lead to plan and returns when they are
// under way. restore may name what is known from before.
func (s *Supervisor) Apply(ctx context.Context, plan *profiles.Plan, changes []profiles.Change, restore map[Key]Restored, by string) error {
	order := make([]Key, len(plan.Specs))
	for i, spec := range plan.Specs {
		order[i] = KeyOf(spec)
	}
	applied := make(chan error, 1)
	return s.tell(ctx, applyMsg{changes, order, plan.Groups, restore, by, applied}, applied)
}

// Act hands an intent (EvStart, EvStop, EvRestart, EvKill) for the named
// instances over, in an order that respects their dependencies, and returns
// when it has been taken; Wait for its outcome. Starting pulls in what is hard
// depended on.
func (s *Supervisor) Act(ctx context.Context, kind lifecycle.EventKind, cause lifecycle.Cause, by string, keys ...Key) error {
	taken := make(chan error, 1)
	e := lifecycle.Event{Kind: kind, Cause: cause, By: by}
	return s.tell(ctx, intentMsg{e, keys, taken}, taken)
}

// ActOn is Act for one instance that is still of a generation; on one that has
// gone on to a later generation the intent has no effect.
func (s *Supervisor) ActOn(ctx context.Context, kind lifecycle.EventKind, cause lifecycle.Cause, by string, key Key, generation uint64) error {
	taken := make(chan error, 1)
	e := lifecycle.Event{Kind: kind, Cause: cause, By: by, Generation: generation}
	return s.tell(ctx, intentMsg{e, []Key{key}, taken}, taken)
}

// Drain stops all instances in an order that respects their dependencies, and
// returns when nothing of them lives any more but what force cannot end. From
// its call on nothing starts: Apply, and Act to start or restart, return
// ErrDraining.
func (s *Supervisor) Drain(ctx context.Context, cause lifecycle.Cause, by string) error {
	drained := make(chan error, 1)
	return s.tell(ctx, drainMsg{lifecycle.Event{Kind: lifecycle.EvStop, Cause: cause, By: by}, drained}, drained)
}

func (s *Supervisor) tell(ctx context.Context, msg any, answer <-chan error) error {
	if !s.mail.put(msg) {
		return ErrStopped
	}
	select {
	case err := <-answer:
		return err
	case <-s.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// View returns the present view of an instance.
func (s *Supervisor) View(k Key) (*View, bool) {
	a, ok := (*s.actors.Load())[k]
	if !ok {
		return nil, false
	}
	return a.view.Load(), true
}

// Views returns the present views, by application and name.
func (s *Supervisor) Views() []*View {
	actors := *s.actors.Load()
	views := make([]*View, 0, len(actors))
	for _, k := range slices.SortedFunc(maps.Keys(actors), compareKeys) {
		views = append(views, actors[k].view.Load())
	}
	return views
}

// Wait calls check with the view of k, again for each newer one, until check
// returns true or ctx ends. The instance's leaving the plan ends it with
// ErrGone.
func (s *Supervisor) Wait(ctx context.Context, k Key, check func(*View) bool) (*View, error) {
	a, ok := (*s.actors.Load())[k]
	if !ok {
		return nil, ErrGone
	}
	for {
		v := a.view.Load()
		if check(v) {
			return v, nil
		}
		select {
		case <-v.changed:
		case <-a.done:
			return a.view.Load(), ErrGone
		case <-ctx.Done():
			return a.view.Load(), ctx.Err()
		}
	}
}

// ErrGone says that the instance is no longer part of the plan.
var ErrGone = errors.New("instance is not in the plan")

func (s *Supervisor) notice(k Key) { s.mail.put(noticeMsg{k}) }

// setActor replaces the set of actors; a nil actor removes.
func (s *Supervisor) setActor(k Key, a *actor) {
	next := maps.Clone(*s.actors.Load())
	if a == nil {
		delete(next, k)
	} else {
		next[k] = a
	}
	s.actors.Store(&next)
}
