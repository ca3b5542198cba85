package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	if err := p.rescale(ctx, component, r.Replicas); err != nil {
		return nil, err
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
	scales, unread := scalesIn(p.journal)
	if unread != nil {
		return "", unread
	}
	var kept []string
	for component := range scales {
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
			desired: "up", done: "started",
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
		outcomes = append(outcomes, p.await(ctx, v, control.ActRequest{}, tell, action{
			desired: "down", done: "stopped", already: isDown, judge: judgeDown, within: stopTime,
		}))
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
func scalesIn(j *journal.Journal) (map[string]int, error) {
	out := map[string]int{}
	raw, err := j.Get(scaleKey)
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read how many replicas are wanted: %w", err)
	}
	return out, nil
}

// rescale sets a number of replicas and applies it. It is on disk before
// anything changes, and not at all when the profile cannot be applied.
func (p *Peer) rescale(ctx context.Context, component string, n int) error {
	given, err := p.passage.order(ctx, "a change of scale")
	if err != nil {
		return err
	}
	defer given()
	p.reloads.Lock()
	defer p.reloads.Unlock()
	if err := p.canRecord(); err != nil {
		return err
	}
	before, err := scalesIn(p.journal)
	if err != nil {
		return err
	}
	scales := maps.Clone(before)
	scales[component] = n
	kept := false
	_, err = p.reloadTo(ctx, scales, false, control.CallerFrom(ctx).By, func() error {
		err := p.noted(p.journal.Put(scaleKey, rawJSON(scales)))
		kept = err == nil
		return err
	})
	if err != nil && kept { // a command that fails has no effect later either
		err = errors.Join(err, p.journal.Put(scaleKey, rawJSON(before)))
	}
	return err
}

func loadOptions(scales map[string]int) profiles.LoadOptions {
	return profiles.LoadOptions{UID: os.Geteuid(), Replicas: scales}
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
