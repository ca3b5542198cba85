package peer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// action is what differs between start, stop, restart and kill.
type action struct {
	event   lifecycle.EventKind
	desired string // what the journal remembers of the operator's wish
	done    string // outcome of success
	// already reports that there is nothing to do.
	already func(*supervisor.View) bool
	// judge reports how v stands to the wish, given the view before it.
	judge func(before, v *supervisor.View) verdict
	// within is how long it may take by the instance's own rules.
	within func(*supervisor.View) time.Duration
}

type verdict uint8

const (
	undecided verdict = iota
	succeeded
	failed
)

func (p *Peer) start(ctx context.Context, r control.ActRequest, tell progress) ([]control.Outcome, error) {
	return p.act(ctx, r, tell, action{
		event: lifecycle.EvStart, desired: "up", done: "started",
		already: func(v *supervisor.View) bool { return v.Machine.Status == lifecycle.Running },
		judge:   judgeStart, within: startTime,
	})
}

func (p *Peer) stop(ctx context.Context, r control.ActRequest, tell progress) ([]control.Outcome, error) {
	return p.act(ctx, r, tell, action{
		event: lifecycle.EvStop, desired: "down", done: "stopped",
		already: isDown, judge: judgeDown, within: stopTime,
	})
}

func (p *Peer) kill(ctx context.Context, r control.ActRequest, tell progress) ([]control.Outcome, error) {
	if r.Signal != "" {
		return p.signal(ctx, r)
	}
	return p.act(ctx, r, tell, action{
		event: lifecycle.EvKill, desired: "down", done: "stopped",
		already: isDown, judge: judgeDown, within: stopTime,
	})
}

func (p *Peer) restart(ctx context.Context, r control.ActRequest, tell progress) ([]control.Outcome, error) {
	restart := action{
		event: lifecycle.EvRestart, desired: "up", done: "started",
		already: func(*supervisor.View) bool { return false },
		judge:   judgeRestart,
		within:  func(v *supervisor.View) time.Duration { return stopTime(v) + startTime(v) },
	}
	if r.Rolling {
		return p.roll(ctx, r, tell, restart)
	}
	return p.act(ctx, r, tell, restart)
}

// roll acts on one instance after the other and stops at the first that fails.
func (p *Peer) roll(ctx context.Context, r control.ActRequest, tell progress, a action) ([]control.Outcome, error) {
	if r.NoWait {
		return nil, control.Errorf(control.CodeUsage, "--rolling waits for each instance before the next: leave --no-wait out")
	}
	views, err := p.pick(r.Selection)
	if err != nil {
		return nil, err
	}
	if err := attemptFrom(ctx).beginLasting(views); err != nil {
		return nil, err
	}
	r.Healthy = true
	if r.After == nil {
		r.After = map[string]uint64{}
	}
	var all []control.Outcome
	for _, v := range views {
		out, err := p.actOn(ctx, []*supervisor.View{v}, r, tell, a)
		all = append(all, out...)
		if err != nil || out[0].Outcome != a.done {
			return all, err
		}
		r.After[v.Key.String()] = generationBefore(v, a.event)
	}
	return all, nil
}

// healthyToo has success wait for the health check, where there is one: what
// comes next goes down only when this one serves again.
func healthyToo(judge func(before, v *supervisor.View) verdict) func(before, v *supervisor.View) verdict {
	return func(before, v *supervisor.View) verdict {
		is := judge(before, v)
		if is == succeeded && v.Machine.Status == lifecycle.Running && v.Spec.Health != nil && v.Health != supervisor.HealthGood {
			return undecided
		}
		return is
	}
}

func (p *Peer) act(ctx context.Context, r control.ActRequest, tell progress, a action) ([]control.Outcome, error) {
	views, err := p.pick(r.Selection)
	if err != nil {
		return nil, err
	}
	if err := attemptFrom(ctx).beginLasting(views); err != nil {
		return nil, err
	}
	return p.actOn(ctx, views, r, tell, a)
}

// actOn remembers the wish, hands the intent over and waits for each outcome.
func (p *Peer) actOn(ctx context.Context, views []*supervisor.View, r control.ActRequest, tell progress, a action) ([]control.Outcome, error) {
	if r.Healthy {
		a.judge = healthyToo(a.judge)
	}
	again := attemptFrom(ctx).resumed(views)
	before, err := p.give(ctx, views, again, r, a)
	if err != nil {
		return nil, err
	}
	ctx, cancel := p.passage.whileHere(ctx)
	defer cancel()
	tell = serialised(tell)
	outcomes := make([]control.Outcome, len(views))
	var wg sync.WaitGroup
	for i, v := range views {
		switch resumed, ok := again[v.Key]; {
		case r.NoWait:
			outcomes[i] = outcome(v, "accepted", "")
		case ok:
			wg.Go(func() { outcomes[i] = p.awaitAgain(ctx, resumed, r, tell, a) })
		default:
			wg.Go(func() { outcomes[i] = p.await(ctx, before[i], r, tell, a) })
		}
	}
	wg.Wait()
	if isLeft(ctx) && slices.ContainsFunc(outcomes, func(o control.Outcome) bool { return o.Outcome == "timeout" }) {
		attemptFrom(ctx).leave()
		return nil, askAgainAfter(before, r.After, a)
	}
	return outcomes, nil
}

// give remembers the wish and hands the intent over, and returns the views from
// before. What was acted on already is left to be waited for; what an earlier
// peer has found is resumed.
func (p *Peer) give(ctx context.Context, views []*supervisor.View, again map[supervisor.Key]resumed, r control.ActRequest, a action) ([]*supervisor.View, error) {
	given, err := p.passage.order(ctx, "a command")
	if err != nil {
		return nil, err
	}
	defer given()
	var fresh []supervisor.Key
	before := make([]*supervisor.View, len(views))
	for i, v := range views {
		if found, ok := again[v.Key]; ok {
			before[i] = asBefore(v, found.found)
		} else if generation, acted := r.After[v.Key.String()]; acted {
			before[i] = asBefore(v, generation)
		} else {
			before[i], fresh = v, append(fresh, v.Key)
		}
	}
	if len(fresh) > 0 {
		unwish, err := p.wish(fresh, a.desired)
		if err != nil {
			return nil, err
		}
		// Whether it is taken is not to depend on who still listens.
		if err := p.sup.Act(context.WithoutCancel(ctx), a.event, lifecycle.CauseCommand, control.CallerFrom(ctx).By, fresh...); err != nil {
			return nil, errors.Join(err, unwish())
		}
	}
	return before, p.resume(context.WithoutCancel(ctx), again, a)
}

// asBefore is a view as if generation had just been told to go.
func asBefore(v *supervisor.View, generation uint64) *supervisor.View {
	was := *v
	was.Machine.Generation, was.Machine.Status = generation, lifecycle.Stopping
	return &was
}

// generationBefore is the generation after which the one comes that an order
// leads to.
func generationBefore(v *supervisor.View, order lifecycle.EventKind) uint64 {
	if order == lifecycle.EvStart && v.Machine.Status == lifecycle.Starting {
		return v.Machine.Generation - 1 // it was on its way already
	}
	return v.Machine.Generation
}

// askAgainAfter has the caller wait for the outcome with the next program.
func askAgainAfter(before []*supervisor.View, after map[string]uint64, a action) error {
	all := maps.Clone(after)
	if all == nil {
		all = map[string]uint64{}
	}
	for _, v := range before {
		if _, known := all[v.Key.String()]; !known {
			all[v.Key.String()] = generationBefore(v, a.event)
		}
	}
	return control.AskAgain(map[string]any{"after": all})
}

// serialised makes tell safe for several waiters.
func serialised(tell progress) progress {
	var mu sync.Mutex
	return func(v any) error {
		mu.Lock()
		defer mu.Unlock()
		return tell(v)
	}
}

// await follows one instance to the outcome, telling each step.
func (p *Peer) await(ctx context.Context, before *supervisor.View, r control.ActRequest, tell progress, a action) control.Outcome {
	if a.already(before) {
		return outcome(before, "already", "")
	}
	if why := p.standing.permit(before.Spec).Wait; why != "" && a.desired == "up" {
		return outcome(before, "accepted", why) // its start is not this peer's to wait for
	}
	limit := a.within(before)
	if r.TimeoutMs > 0 {
		limit = time.Duration(r.TimeoutMs) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last control.Step
	result, heard, overruled := undecided, false, false
	v, err := p.sup.Wait(ctx, before.Key, func(v *supervisor.View) bool {
		step := control.Step{Name: v.Name, Status: v.Machine.Status.String(), State: v.Machine.State.String(), Detail: v.Machine.Reason}
		if step != last {
			last = step
			if tell(step) != nil {
				cancel() // nobody listens: the wait ends, the work goes on
			}
		}
		asWished := v.Machine.Desired.String() == a.desired
		overruled = heard && !asWished
		heard = heard || asWished
		result = a.judge(before, v)
		return result != undecided || overruled
	})
	switch {
	case errors.Is(err, supervisor.ErrGone):
		return leftThePlan(before, a)
	case err != nil:
		return outcome(v, "timeout", "not "+a.done+" within "+limit.String()+reason(v))
	case overruled && result != succeeded:
		return outcome(v, "failed", "somebody else wants it "+v.Machine.Desired.String()+" now")
	case v.Fault != nil:
		return outcome(v, "failed", "the journal cannot remember it: "+v.Fault.Error())
	case result == failed:
		return outcome(v, "failed", describe(v))
	}
	return outcome(v, a.done, "")
}

// leftThePlan is how an instance stands to a wish once it is no more.
func leftThePlan(v *supervisor.View, a action) control.Outcome {
	o := outcome(v, a.done, "left the plan")
	o.Status = lifecycle.Stopped.String()
	if a.desired != "down" {
		o.Outcome = "failed"
	}
	return o
}

func outcome(v *supervisor.View, what, detail string) control.Outcome {
	return control.Outcome{Name: v.Name, Application: v.Application, Outcome: what, Status: v.Machine.Status.String(), Detail: detail}
}

func reason(v *supervisor.View) string {
	if v.Machine.Reason == "" {
		return ""
	}
	return ": " + v.Machine.Reason
}

// describe says why an instance is not where it was wanted.
func describe(v *supervisor.View) string {
	if v.Machine.Reason != "" {
		return v.Machine.Reason
	}
	if e := v.Machine.LastExit; e != nil {
		return "it ended with " + exitText(*e)
	}
	return ""
}

func isDown(v *supervisor.View) bool {
	return v.AtRest() && v.Machine.Desired == lifecycle.Down
}

func judgeDown(_, v *supervisor.View) verdict {
	if isDown(v) {
		return succeeded
	}
	return undecided
}

// judgeStart looks at the generation that the start led to: the present one
// when it was on its way already, else a later one.
func judgeStart(before, v *supervisor.View) verdict {
	if before.Machine.Status != lifecycle.Starting && v.Machine.Generation <= before.Machine.Generation {
		return undecided
	}
	return judgeUp(v)
}

func judgeRestart(before, v *supervisor.View) verdict {
	if v.Machine.Generation <= before.Machine.Generation {
		return undecided
	}
	return judgeUp(v)
}

func judgeUp(v *supervisor.View) verdict {
	switch v.Machine.Status {
	case lifecycle.Running, lifecycle.Completed:
		return succeeded
	case lifecycle.Failed, lifecycle.Backoff, lifecycle.Stopped:
		return failed
	}
	return undecided
}

// grace is what an outcome may take beyond the instance's own limits: the
// waiting for dependencies on start, the sweep after a kill on stop.
const grace = 30 * time.Second

func startTime(v *supervisor.View) time.Duration { return v.Spec.LaunchTimeout + grace }
func stopTime(v *supervisor.View) time.Duration  { return v.Spec.StopWait + grace }
