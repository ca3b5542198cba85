package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
)

// gateLook is how often a roll looks whether what it has started is up, and
// gatePatience how long it looks on, without --timeout.
const (
	gateLook     = 250 * time.Millisecond
	gatePatience = time.Minute
)

// batchFlag makes a verb that acts roll through all peers of a target.
func batchFlag() cli.Flag {
	return &cli.IntFlag{Name: "batch", Usage: "with --target: on all of its peers, `N` at a time, the primary last; the next when what was started is up and healthy, and none when something failed"}
}

// everyPeer tells whether a verb that acts is meant for all peers of a target.
func everyPeer(c *cli.Context) bool { return c.IsSet("batch") || wholeTarget(c) && c.Bool("all") }

// roll carries one operation out on every peer of a target, some at a time.
type roll struct {
	p      *program
	fleet  *api.FleetClient
	target string
	typ    string
	req    control.ActRequest
	lines  bool

	telling sync.Mutex // one step at a time
}

func (p *program) rollOut(c *cli.Context, typ string, req control.ActRequest, lines bool) ([]control.Outcome, error) {
	switch {
	case c.IsSet("batch") && c.Int("batch") < 1:
		return nil, usagef("--batch must be 1 or more")
	case c.String("controller") == "" || c.String("target") == "":
		return nil, usagef("--batch needs --controller URL and --target ID")
	case !wholeTarget(c):
		return nil, usagef("--batch is for all peers of the target: leave --primary and --peer out")
	case c.IsSet("batch") && req.NoWait:
		return nil, usagef("--batch waits for some peers before the next: leave --no-wait out")
	}
	ctx, cancel := limited(c, actGrace)
	defer cancel()
	f, err := fleetOf(c)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	req.Healthy = true
	r := &roll{p: p, fleet: f, target: c.String("target"), typ: typ, req: req, lines: lines}
	return r.run(ctx, c.Int("batch"))
}

// run goes through the peers, width at a time; 0 is all at once.
func (r *roll) run(ctx context.Context, width int) (all []control.Outcome, err error) {
	channels, err := channelsOf(ctx, r.fleet, r.target)
	if err != nil {
		return nil, err
	}
	peers := lastThePrimary(channels)
	if width == 0 {
		width = len(peers)
	}
	for done := 0; done < len(peers); {
		next := peers[done:min(done+width, len(peers))]
		r.p.out.progress("%d of %d peers done, now %s", done, len(peers), strings.Join(next, ", "))
		outcomes, err := r.onEach(ctx, next)
		all, done = append(all, outcomes...), done+len(next)
		left := len(peers) - done
		switch {
		case err != nil && left > 0:
			return all, fmt.Errorf("%w (%d of %d peers were not asked)", err, left, len(peers))
		case err != nil:
			return all, err
		case left > 0 && !(verdict(all) == nil && r.up(ctx, peers[:done], all)):
			r.p.out.note("%d of %d peers were not asked", left, len(peers))
			return all, nil
		}
	}
	return all, nil
}

// lastThePrimary are the peers' names, the primary's at the end: so it has to
// move once at most.
func lastThePrimary(channels []fleetChannel) (peers []string) {
	slices.SortFunc(channels, func(a, b fleetChannel) int {
		return cmp.Or(cmp.Compare(yesNo(a.Primary), yesNo(b.Primary)), cmp.Compare(a.peer(), b.peer()))
	})
	for _, ch := range channels {
		if !slices.Contains(peers, ch.peer()) {
			peers = append(peers, ch.peer())
		}
	}
	return peers
}

// onEach carries the operation out on several peers at once. The error is the
// first of a peer that could not be asked; its outcome tells it too.
func (r *roll) onEach(ctx context.Context, peers []string) (all []control.Outcome, first error) {
	outcomes, errs := make([][]control.Outcome, len(peers)), make([]error, len(peers))
	var wg sync.WaitGroup
	for i, peer := range peers {
		wg.Go(func() { outcomes[i], errs[i] = r.on(ctx, peer) })
	}
	wg.Wait()
	for i, peer := range peers {
		all = append(all, outcomes[i]...)
		if errs[i] == nil {
			continue
		}
		if first == nil {
			first = errs[i]
		}
		e := control.AsError(errs[i])
		what := "failed"
		if e.Code == control.CodeTimeout {
			what = "timeout"
		}
		all = append(all, control.Outcome{Name: strings.Join(r.req.Names, ",") + "@" + peer, Outcome: what, Status: "unknown", Detail: e.Message})
	}
	return all, first
}

// on carries the operation out on one peer. Its channel is looked up now: a peer
// may have connected anew since the roll began.
func (r *roll) on(ctx context.Context, peer string) (outcomes []control.Outcome, err error) {
	channel, err := channelOf(ctx, r.fleet, r.target, peer)
	if err != nil {
		return nil, err
	}
	result, err := r.fleet.Target(r.target, api.To{Channel: channel}).Stream(ctx, r.typ, r.req, func(item json.RawMessage) error {
		r.telling.Lock()
		defer r.telling.Unlock()
		return r.p.tellStep(item, "@"+peer, r.lines)
	})
	if err == nil {
		err = json.Unmarshal(result, &outcomes)
	}
	for i := range outcomes {
		outcomes[i].Name += "@" + peer
	}
	return outcomes, err
}

// up waits until what was started so far is up and healthy, and tells whether it
// is. Of what is not, the outcome becomes a failure.
func (r *roll) up(ctx context.Context, peers []string, outcomes []control.Outcome) bool {
	if r.typ != control.OpStart && r.typ != control.OpRestart {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, gatePatience)
	defer cancel()
	tick := time.NewTicker(gateLook)
	defer tick.Stop()
	for {
		pending := r.look(ctx, peers, outcomes)
		if verdict(outcomes) != nil {
			return false
		}
		if !pending {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.fail(outcomes, func(o *control.Outcome) bool { return settling(o.Status) }, "it is not up again")
			return false
		}
	}
}

// look takes in how what was started is now; pending means that it is not
// decided yet.
func (r *roll) look(ctx context.Context, peers []string, outcomes []control.Outcome) (pending bool) {
	for _, peer := range peers {
		var now []control.Instance
		err := r.ps(ctx, peer, &now)
		if err != nil {
			r.fail(outcomes, func(o *control.Outcome) bool { return strings.HasSuffix(o.Name, "@"+peer) }, "it cannot be told whether it is still up: "+err.Error())
			continue
		}
		for _, in := range now {
			at := slices.IndexFunc(outcomes, func(o control.Outcome) bool {
				return o.Name == in.Name+"@"+peer && o.Application == in.Application
			})
			if at < 0 || outcomes[at].Outcome == "accepted" {
				continue
			}
			o := &outcomes[at]
			o.Status = in.Status
			pending = pending || settling(in.Status)
			if in.Status == "failed" || in.Status == "backoff" || in.Health == "unhealthy" {
				o.Outcome, o.Detail = "failed", "it did not stay up: "+cmp.Or(in.Reason, in.Health)
			}
		}
	}
	return pending
}

func settling(status string) bool { return status == "starting" || status == "stopping" }

func (r *roll) ps(ctx context.Context, peer string, now *[]control.Instance) error {
	channel, err := channelOf(ctx, r.fleet, r.target, peer)
	if err != nil {
		return err
	}
	return r.fleet.Target(r.target, api.To{Channel: channel}).Call(ctx, control.OpPs, r.req.Selection, now)
}

func (r *roll) fail(outcomes []control.Outcome, which func(*control.Outcome) bool, why string) {
	for i := range outcomes {
		if o := &outcomes[i]; which(o) {
			o.Outcome, o.Detail = "failed", why
		}
	}
}
