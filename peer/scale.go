package peer

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// scale changes the number of a component's replicas, on top of the profile,
// and keeps it over restarts of the peer.
func (p *Peer) scale(ctx context.Context, r control.ScaleRequest, tell progress) ([]control.Outcome, error) {
	component, err := p.scaled(r)
	if err != nil {
		return nil, err
	}
	if r.Replicas < 0 || r.Replicas > profiles.MaxReplicas {
		return nil, control.Errorf(control.CodeUsage, "%d replicas: 0 to %d are allowed", r.Replicas, profiles.MaxReplicas)
	}
	before := p.replicasOf(component)
	undo, err := p.keepScale(component, r.Replicas)
	if err != nil {
		return nil, err
	}
	if _, err := p.Reload(ctx, false, control.CallerFrom(ctx).By); err != nil {
		return nil, errors.Join(err, undo())
	}
	here, cancel := p.passage.whileHere(ctx)
	defer cancel()
	outcomes := p.awaitScale(here, component, before, tell)
	if isLeft(here) {
		return nil, errAskAgain // the next program finds the number as it is wanted, and waits
	}
	return outcomes, nil
}

// scaled is the component, as application/name, that a request means. One that
// was scaled to none has no instance to find it by.
func (p *Peer) scaled(r control.ScaleRequest) (string, error) {
	found, err := p.pick(control.Selection{Names: []string{r.Name}, Application: r.Application})
	if err == nil {
		return found[0].Application + "/" + found[0].Spec.Component, nil
	}
	var kept []string
	for component := range scalesIn(p.journal) {
		app, name, _ := strings.Cut(component, "/")
		if (r.Name == name || r.Name == component) && (r.Application == "" || r.Application == app) {
			kept = append(kept, component)
		}
	}
	if len(kept) != 1 {
		return "", err
	}
	return kept[0], nil
}

// awaitScale waits for the new replicas to be up and the superfluous to be gone.
func (p *Peer) awaitScale(ctx context.Context, component string, before []*supervisor.View, tell progress) []control.Outcome {
	outcomes := []control.Outcome{}
	known := map[supervisor.Key]bool{}
	for _, v := range before {
		known[v.Key] = true
	}
	for _, v := range p.replicasOf(component) {
		if s := v.Machine.Status; known[v.Key] && s != lifecycle.Starting && s != lifecycle.Waiting {
			continue
		}
		outcomes = append(outcomes, p.await(ctx, v, control.ActRequest{}, tell, action{
			done:    "started",
			already: func(v *supervisor.View) bool { return v.Machine.Status == lifecycle.Running },
			judge:   judgeScaled,
			within:  startTime,
		}))
	}
	plan, _ := p.currentPlan()
	for _, v := range before {
		if slices.ContainsFunc(plan.Specs, func(s *profiles.Spec) bool { return supervisor.KeyOf(s) == v.Key }) {
			continue
		}
		if _, err := p.sup.Wait(ctx, v.Key, isDown); errors.Is(err, supervisor.ErrGone) {
			outcomes = append(outcomes, outcome(v, "stopped", "no longer part of the plan"))
		}
	}
	return outcomes
}

// judgeScaled waits for the start of a replica that has not begun yet; one that
// was there already is judged as it is.
func judgeScaled(before, v *supervisor.View) verdict {
	if s := before.Machine.Status; s == lifecycle.Stopped || s == lifecycle.Waiting {
		return judgeStart(before, v)
	}
	return judgeUp(v)
}

func (p *Peer) replicasOf(component string) []*supervisor.View {
	var out []*supervisor.View
	for _, v := range p.sup.Views() {
		if v.Application+"/"+v.Spec.Component == component {
			out = append(out, v)
		}
	}
	return out
}

const scaleKey = "replicas"

// scalesIn are the numbers of replicas that operators have set.
func scalesIn(j *journal.Journal) map[string]int {
	out := map[string]int{}
	if raw, err := j.Get(scaleKey); err == nil && raw != nil {
		_ = json.Unmarshal(raw, &out)
	}
	return out
}

// keepScale notes a number of replicas. undo takes it back: a command that
// fails has no effect later either.
func (p *Peer) keepScale(component string, n int) (undo func() error, err error) {
	p.reloads.Lock()
	defer p.reloads.Unlock()
	all := scalesIn(p.journal)
	before, had := all[component]
	all[component] = n
	undo = func() error {
		p.reloads.Lock()
		defer p.reloads.Unlock()
		all := scalesIn(p.journal)
		if all[component] = before; !had {
			delete(all, component)
		}
		return p.journal.Put(scaleKey, rawJSON(all))
	}
	return undo, p.journal.Put(scaleKey, rawJSON(all))
}

func (p *Peer) loadOptions() profiles.LoadOptions {
	return profiles.LoadOptions{UID: os.Geteuid(), Replicas: scalesIn(p.journal)}
}

// checkMemory restarts an instance that has outgrown its maxMemoryRestart.
func (p *Peer) checkMemory(v *supervisor.View, f figures) {
	limit := v.Spec.Resources.MaxMemoryRestart
	if limit <= 0 || f.memory <= limit || v.Machine.Status != lifecycle.Running {
		return
	}
	if g := generationOf(v); g != nil {
		g.outgrown(f.memory, limit)
	}
}
