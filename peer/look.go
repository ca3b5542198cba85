package peer

import (
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

func (p *Peer) ps(_ context.Context, sel control.Selection, _ progress) ([]control.Instance, error) {
	if len(sel.Names) == 0 && sel.Application == "" && sel.Group == "" {
		sel.All = true
	}
	views, err := p.pick(sel)
	if err != nil {
		return nil, err
	}
	rows := make([]control.Instance, len(views))
	for i, v := range views {
		rows[i] = p.row(v)
	}
	return rows, nil
}

// row is the public form of a view.
func (p *Peer) row(v *supervisor.View) control.Instance {
	m := v.Machine
	r := control.Instance{
		Name: v.Name, Application: v.Application, Address: v.Spec.Address, Component: v.Spec.Component,
		Instance: v.Spec.Instance, Generation: m.Generation, Desired: m.Desired.String(),
		Status: m.Status.String(), State: m.State.String(), Pid: m.Pid, Restarts: m.Restarts,
		CCP: v.Spec.CCP, CCPVersion: v.Version, Health: v.Health.String(), Reason: m.Reason,
	}
	if v.Fault != nil {
		r.Reason = "the journal refuses: " + v.Fault.Error()
	}
	if g := generationOf(v); g != nil {
		r.Says = g.word()
		if m.Pid != 0 {
			r.Attach = g.attachable()
		}
		if r.Attach != "" && r.Reason == "" {
			r.Reason = g.attachHint()
		}
	}
	r.Primary = p.primaries.isPrimary(v) || v.Spec.RunOn == "primary" && !v.AtRest()
	if !v.AtRest() {
		r.StartedAt = timeOrNil(m.StartedAt)
		u := p.usage.of(v.Key, m.Generation)
		r.CPU, r.Memory = u.cpu, u.memory
	} else {
		r.Pid = 0
	}
	if m.Status == lifecycle.Backoff {
		r.NextStartAt = timeOrNil(m.NextStartAt)
	}
	if v.AtRest() && v.Spec.Schedule != "" {
		r.NextStartAt = timeOrNil(p.timetable.next(v.Spec, wallClock()))
	}
	if m.LastExit != nil {
		r.LastExit = &control.Exit{Code: m.LastExit.Code, Signal: m.LastExit.Signal, Reason: m.LastExit.Reason, At: v.LastExitAt}
	}
	return r
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// recent is how many transitions `get` shows.
const recent = 10

func (p *Peer) get(ctx context.Context, r control.NameRequest, _ progress) (control.Detail, error) {
	v, err := p.one(r)
	if err != nil {
		return control.Detail{}, err
	}
	recs, err := p.journal.Read(journal.Filter{Application: v.Application, Name: v.Name, Last: recent})
	if err != nil {
		return control.Detail{}, err
	}
	d := control.Detail{Instance: p.row(v), Spec: v.Spec.Public(), Recent: recs, Tree: []control.Process{}}
	if g := atHand(ctx, v); g != nil {
		d.Dropped = g.dropped()
		for _, m := range g.members() {
			d.Tree = append(d.Tree, control.Process{Pid: m.Pid, Command: m.Command})
		}
	}
	return d, nil
}

func (p *Peer) history(_ context.Context, r control.EventsRequest, _ progress) ([]journal.Record, error) {
	f, err := p.filter(r)
	if err != nil {
		return nil, err
	}
	recs, err := p.journal.Read(f)
	if recs == nil {
		recs = []journal.Record{}
	}
	return recs, err
}

func (p *Peer) events(ctx context.Context, r control.EventsRequest, tell progress) (unused, error) {
	f, err := p.filter(r)
	if err != nil {
		return unused{}, err
	}
	ctx, cancel := p.passage.whileHere(ctx)
	defer cancel()
	records := p.journal.Watch(ctx, f)
	if !r.Follow {
		records = p.past(f)
	}
	var resume map[string]any
	for rec, err := range records {
		var gap *journal.GapError
		if errors.As(err, &gap) { // shown in its place, and the rest follows
			rec, err = journal.Record{Seq: gap.Before - 1, At: time.Now(), Detail: gap.Error()}, nil
		}
		if err == nil {
			err = tell(rec)
		}
		if err != nil {
			return unused{}, errOrAgain(ctx, err, resume)
		}
		resume = map[string]any{"since": rec.Seq, "last": nil}
	}
	return unused{}, errOrAgain(ctx, nil, resume)
}

// errOrAgain is err, unless the peer is handed over: then the caller is to ask
// again with the fields of resume.
func errOrAgain(ctx context.Context, err error, resume map[string]any) error {
	if isLeft(ctx) {
		return control.AskAgain(resume)
	}
	return err
}

// past yields what the journal holds now.
func (p *Peer) past(f journal.Filter) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		recs, err := p.journal.Read(f)
		for _, rec := range recs {
			if !yield(rec, nil) {
				return
			}
		}
		if err != nil {
			yield(journal.Record{}, err)
		}
	}
}

// filter resolves the instance of a request; one that has left the plan but
// still has a history is found by its exact name.
func (p *Peer) filter(r control.EventsRequest) (journal.Filter, error) {
	f := journal.Filter{Since: r.Since, Last: r.Last, Application: r.Application}
	if r.Name == "" {
		return f, nil
	}
	v, err := p.one(control.NameRequest{Name: r.Name, Application: r.Application})
	if err == nil {
		f.Application, f.Name = v.Application, v.Name
		return f, nil
	}
	f.Name = r.Name
	past, jerr := p.journal.Read(journal.Filter{Application: f.Application, Name: f.Name, Last: 1})
	if jerr != nil {
		return f, jerr
	}
	if len(past) == 0 {
		return f, err
	}
	f.Application = past[0].Application
	return f, nil
}

func (p *Peer) status(context.Context, unused, progress) (control.PeerStatus, error) {
	plan, applied := p.currentPlan()
	st := control.PeerStatus{
		Peer: plan.Peer.Name, Version: p.opts.Version, Pid: os.Getpid(),
		UptimeMs: time.Since(p.startedAt).Milliseconds(), Profile: p.opts.Profile,
		Plan:     control.PlanStatus{Hash: plan.Hash, AppliedAt: applied},
		Degraded: p.troubles(), Counts: map[string]int{}, Warnings: plan.Warnings,
		Containment: p.door.Containment(), Connector: p.linkStatus(), Controller: p.controllerStatus(),
		Upgrade: p.passage.last(),
	}
	if jump := p.clock.lastJump(); jump != "" {
		st.Warnings = append(slices.Clone(st.Warnings), jump)
	}
	if p.keeper == nil {
		st.Warnings = append(slices.Clone(st.Warnings), "no keeper on this platform: components end with this peer, and what they write and how they end is lost while it is away")
	} else {
		st.KeeperPid, st.KeeperVersion = p.keeper.Pid(), p.keeper.Speaks().Version
	}
	for _, v := range p.sup.Views() {
		st.Counts[v.Machine.Status.String()]++
	}
	return st, nil
}

func (p *Peer) planOf(context.Context, unused, progress) (map[string]any, error) {
	plan, applied := p.currentPlan()
	specs := make([]map[string]any, len(plan.Specs))
	for i, s := range plan.Specs {
		specs[i] = s.Public()
	}
	return map[string]any{"hash": plan.Hash, "appliedAt": applied, "components": specs, "warnings": plan.Warnings}, nil
}
