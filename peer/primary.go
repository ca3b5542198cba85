package peer

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// primaries elects one primary among the replicas of each CCP component. A
// living primary is never displaced; each election has a higher term, which the
// components hold against what they were told before.
type primaries struct {
	wake chan struct{} // holds a token when views have changed

	mu   sync.Mutex // guards the following field
	held map[string]office
}

// office is who is primary of one component, by application/component.
type office struct {
	Holder string `json:"holder"` // instance name; "" while nobody can be
	Term   uint64 `json:"term"`
	told   map[supervisor.Key]notice
}

// notice is what an instance was told: in which generation, of which term.
type notice struct{ generation, term uint64 }

const officesKey = "primaries"

// notify wakes the election; it never blocks.
func (e *primaries) notify() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *primaries) isPrimary(v *supervisor.View) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return v.Machine.Status == lifecycle.Running && e.held[component(v)].Holder == v.Name
}

func component(v *supervisor.View) string { return v.Application + "/" + v.Spec.Component }

// elect keeps the offices filled, and the deputies informed, until ctx ends.
func (p *Peer) elect(ctx context.Context) {
	e := &p.primaries
	if raw, err := p.journal.Get(officesKey); err == nil && raw != nil {
		_ = json.Unmarshal(raw, &e.held) // without it the terms start over
	}
	again := time.NewTimer(0)
	defer again.Stop()
	var d deputies
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-again.C:
		}
		views := p.sup.Views()
		if wait := d.inform(ctx, p, views); wait > 0 {
			again.Reset(wait)
		} else {
			again.Stop()
		}
		replicas := map[string][]*supervisor.View{}
		for _, v := range views {
			if v.Spec.CCP && v.Spec.Replicas > 1 {
				replicas[component(v)] = append(replicas[component(v)], v)
			}
		}
		for name, views := range replicas {
			p.fill(ctx, name, views)
		}
	}
}

// fill elects where it is needed and tells those who do not know yet.
func (p *Peer) fill(ctx context.Context, name string, views []*supervisor.View) {
	e := &p.primaries
	e.mu.Lock()
	o, changed := choose(e.held[name], views)
	next := maps.Clone(e.held)
	e.mu.Unlock()
	if o.told == nil {
		o.told = map[supervisor.Key]notice{}
	}
	if changed {
		next[name] = o
		if err := p.journal.Put(officesKey, rawJSON(next)); err != nil {
			p.degraded.set("journal", err)
			return // a term that could be given twice is given to nobody, and tried again when the journal writes
		}
		p.log.Info("primary elected", "component", name, "primary", o.Holder, "term", o.Term)
	}
	e.mu.Lock()
	e.held[name] = o
	e.mu.Unlock()
	p.announce(ctx, o, views)
}

// announce tells all at once who is primary, and wakes the election again for
// those who could not be told.
func (p *Peer) announce(ctx context.Context, o office, views []*supervisor.View) {
	var wg sync.WaitGroup
	results := make([]error, len(views))
	for i, v := range views {
		now := notice{v.Machine.Generation, o.Term}
		if v.Machine.Status != lifecycle.Running || o.told[v.Key] == now {
			continue
		}
		o.told[v.Key] = now
		wg.Go(func() {
			results[i] = p.tellPrimary(ctx, v, ccp.PrimaryNotice{Primary: v.Name == o.Holder, Term: o.Term})
		})
	}
	wg.Wait()
	for i, v := range views {
		if results[i] != nil && ctx.Err() == nil {
			p.log.Warn("cannot tell who is primary, yet", "component", v.Key.String(), "error", results[i])
			delete(o.told, v.Key)
			time.AfterFunc(primaryPatience, p.primaries.notify)
		}
	}
}

// choose keeps a living primary, else takes the first replica that runs and is
// not unhealthy.
func choose(o office, views []*supervisor.View) (next office, changed bool) {
	able := ""
	for _, v := range views {
		fit := v.Machine.Status == lifecycle.Running && v.Health != supervisor.HealthBad
		if fit && v.Name == o.Holder {
			return o, false
		}
		if fit && able == "" {
			able = v.Name
		}
	}
	if able == o.Holder {
		return o, false
	}
	o.Holder = able
	if able != "" {
		o.Term++
	}
	return o, true
}

// primaryPatience is how long one component may take to hear who is primary.
const primaryPatience = 2 * time.Second

func (p *Peer) tellPrimary(ctx context.Context, v *supervisor.View, word ccp.PrimaryNotice) error {
	g := generationOf(v)
	if g == nil || g.currentLink() == nil {
		return errors.New("it has no channel")
	}
	ctx, cancel := context.WithTimeout(ctx, primaryPatience)
	defer cancel()
	return g.currentLink().client.Do(ctx, ccp.TypePrimary, word, nil)
}
