package peer

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// attempt is one run of a command of the fleet that acts. What it does to an
// instance that an earlier attempt has found follows from the generation that it
// had then: one that has gone on since has had the command's effect. A nil
// attempt, of a command that came another way, remembers nothing.
type attempt struct {
	r       *replies
	key     string
	found   map[string]uint64 // generations by instance; nil: nothing is noted
	again   bool              // an earlier attempt had begun with it
	lasting bool              // its effect is waited for, and goes on when nobody waits
	unknown bool              // it cannot be said whether it has had its effect
	left    bool              // the next attempt is another program's
}

type attemptKey struct{}

func withAttempt(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

func attemptFrom(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// begin notes, on disk, what the command finds, unless an earlier attempt did.
func (a *attempt) begin(views []*supervisor.View) error {
	if a == nil || a.found != nil {
		return nil
	}
	found := make(map[string]uint64, len(views))
	for _, v := range views {
		found[v.Key.String()] = v.Machine.Generation
	}
	if err := a.r.keep(a.key, found, nil); err != nil {
		return fmt.Errorf("the journal cannot remember the command, so nothing was done: %w", err)
	}
	a.found = found
	return nil
}

// beginLasting is begin for an effect that goes on by itself.
func (a *attempt) beginLasting(views []*supervisor.View) error {
	if a != nil {
		a.lasting = true
	}
	return a.begin(views)
}

// leave has what was begun be there for the program that this one becomes.
func (a *attempt) leave() {
	if a != nil {
		a.left = true
	}
}

// resumed is an instance that an earlier attempt has found in a generation.
type resumed struct {
	*supervisor.View
	found uint64
}

// begun reports whether the earlier attempt has had its effect.
func (r resumed) begun() bool { return r.Machine.Generation > r.found }

// resumed returns the instances that an earlier attempt has found.
func (a *attempt) resumed(views []*supervisor.View) map[supervisor.Key]resumed {
	if a == nil || !a.again {
		return nil
	}
	again := map[supervisor.Key]resumed{}
	for _, v := range views {
		if generation, ok := a.found[v.Key.String()]; ok {
			again[v.Key] = resumed{v, generation}
		}
	}
	return again
}

// resume has an action that was interrupted have its effect where it has had none.
func (p *Peer) resume(ctx context.Context, again map[supervisor.Key]resumed, a action) error {
	by := control.CallerFrom(ctx).By
	for key, r := range again {
		if r.begun() {
			continue
		}
		unwish, err := p.wish([]supervisor.Key{key}, a.desired)
		if err != nil {
			return err
		}
		switch {
		case a.event != lifecycle.EvRestart:
			err = p.sup.Act(ctx, a.event, lifecycle.CauseCommand, by, key)
		case r.AtRest(): // this peer may be starting it already, which is all that is wanted
			err = p.sup.Act(ctx, lifecycle.EvStart, lifecycle.CauseCommand, by, key)
		default:
			err = p.sup.ActOn(ctx, a.event, lifecycle.CauseCommand, by, key, r.found)
		}
		if err != nil {
			return errors.Join(err, unwish())
		}
	}
	return nil
}

// awaitAgain is await for an instance that an earlier attempt has found.
func (p *Peer) awaitAgain(ctx context.Context, r resumed, req control.ActRequest, tell progress, a action) control.Outcome {
	if a.already(r.View) || r.begun() && a.desired == "down" {
		return outcome(r.View, a.done, "")
	}
	since := *r.View
	since.Machine.Generation, since.Machine.Status = r.found, lifecycle.Stopped
	return p.await(ctx, &since, req, tell, a)
}

// ask notes that a component is about to be asked to do something, and returns
// the key by which it knows a command that comes again. A component that an
// earlier peer has asked is asked again if it lives on and runs a key once.
func (a *attempt) ask(v *supervisor.View, once bool) (key string, err error) {
	if a == nil {
		return "", nil
	}
	if !a.again {
		return a.key, a.begin([]*supervisor.View{v})
	}
	if a.found[v.Key.String()] == v.Machine.Generation && once {
		return a.key, nil
	}
	a.unknown = true
	return "", control.Errorf(control.CodeFailed,
		"outcome unknown: %s was at it when the command was interrupted, and it cannot be said whether it took effect; it was not sent again", v.Name)
}
