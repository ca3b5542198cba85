package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
)

// Bounds of asking all peers of a target.
const (
	askTimeout = 5 * time.Second // without --timeout: one silent peer must not hold up what the others say
	askWidth   = 64              // peers at a time
)

// unreachable is the status of a peer that did not answer.
const unreachable = "unreachable"

// said is what one peer of a target answered.
type said[T any] struct {
	peer  string
	value T
	err   error
}

// askAll asks all peers of the target side by side. It fails when there is no
// answer at all; of a peer named twice, as one whose old connection is not known
// to be over, only the channel counts that answers.
func askAll[T any](c *cli.Context, typ string, req any) ([]said[T], error) {
	timeout := c.Duration("timeout")
	if timeout == 0 {
		timeout = askTimeout
	}
	ctx, cancel := context.WithTimeout(c.Context, timeout)
	defer cancel()
	f, err := fleetOf(c)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	channels, err := channelsOf(ctx, f, c.String("target"))
	if err != nil {
		return nil, err
	}
	all := make([]said[T], len(channels))
	var g errgroup.Group
	g.SetLimit(askWidth)
	for i, ch := range channels {
		g.Go(func() error {
			all[i].peer = ch.peer()
			all[i].err = f.Target(ch.Target, api.To{Channel: ch.ID}).Call(ctx, typ, req, &all[i].value)
			return nil
		})
	}
	_ = g.Wait() // each has its own error
	if c.Context.Err() != nil {
		return nil, c.Context.Err()
	}
	return sift(all)
}

// sift sorts answers by peer, and leaves out those of peers that have nothing to
// tell: they know none of the names, or have answered on another channel.
func sift[T any](all []said[T]) ([]said[T], error) {
	heard := map[string]bool{}
	for _, s := range all {
		heard[s.peer] = heard[s.peer] || s.err == nil
	}
	var unknown error
	all = slices.DeleteFunc(all, func(s said[T]) bool {
		absent := s.err != nil && control.AsError(s.err).Code == control.CodeNotFound
		if absent {
			unknown = s.err
		}
		return absent || s.err != nil && heard[s.peer]
	})
	if len(all) == 0 {
		return nil, unknown
	}
	slices.SortFunc(all, func(a, b said[T]) int { return cmp.Compare(a.peer, b.peer) })
	return all, nil
}

// silence is the error of answers that are not complete, nil if they are.
func silence[T any](all []said[T]) error {
	var silent []string
	for _, s := range all {
		if s.err != nil {
			silent = append(silent, s.peer)
		}
	}
	if len(silent) == 0 {
		return nil
	}
	return control.Errorf(control.CodeUnreachable, "%d of %d peers did not answer: %s: --timeout sets how long to wait", len(silent), len(all), strings.Join(silent, ", "))
}

// listed is an instance as ps lists it; Peer is empty where only one is asked.
type listed struct {
	Peer string `json:"peer,omitempty"`
	control.Instance
}

// listInstances asks the peer, or all peers of the target. With rows, an error
// says who is missing.
func listInstances(c *cli.Context, sel control.Selection) ([]listed, error) {
	if !wholeTarget(c) {
		var instances []control.Instance
		err := call(c, control.OpPs, sel, &instances)
		if err != nil {
			return nil, err
		}
		return ofPeer("", instances), nil
	}
	answers, err := askAll[[]control.Instance](c, control.OpPs, sel)
	if err != nil {
		return nil, err
	}
	rows := []listed{}
	for _, s := range answers {
		if s.err != nil {
			s.value = []control.Instance{{Status: unreachable, Reason: s.err.Error()}}
		}
		rows = append(rows, ofPeer(s.peer, s.value)...)
	}
	return rows, silence(answers)
}

func ofPeer(peer string, instances []control.Instance) []listed {
	rows := make([]listed, len(instances))
	for i, in := range instances {
		rows[i] = listed{peer, in}
	}
	return rows
}

// detailed is an instance as get shows it on each peer of a target.
type detailed struct {
	Peer string `json:"peer"`
	control.Detail
}

// getOnAll shows an instance on all peers of the target.
func (p *program) getOnAll(c *cli.Context, req control.NameRequest) error {
	answers, err := askAll[control.Detail](c, control.OpGet, req)
	if err != nil {
		return err
	}
	rows := make([]detailed, len(answers))
	for i, s := range answers {
		if s.err != nil {
			s.value.Status, s.value.Reason = unreachable, s.err.Error()
		}
		rows[i] = detailed{s.peer, s.value}
	}
	if err := p.out.value(rows, func() error { return p.detailsByPeer(rows) }); err != nil {
		return err
	}
	return silence(answers)
}

func (p *program) detailsByPeer(rows []detailed) error {
	for i, d := range rows {
		if i > 0 {
			if err := p.out.printf("\n"); err != nil {
				return err
			}
		}
		facts := [][]string{{"Peer", escape(d.Peer, false)}}
		if d.Status == unreachable {
			facts = append(facts, []string{"Status", p.out.status(d.Status)}, []string{"Reason", escape(d.Reason, false)})
		}
		if err := p.out.rows(nil, facts); err != nil {
			return err
		}
		if d.Status == unreachable {
			continue
		}
		if err := p.detail(d.Detail); err != nil {
			return err
		}
	}
	return nil
}
