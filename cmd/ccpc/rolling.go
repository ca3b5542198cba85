package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/control"
)

// batchFlag makes a verb that acts roll through all peers of a target.
func batchFlag() cli.Flag {
	return &cli.IntFlag{Name: "batch", Usage: "with --target: on all of its peers, `N` at a time; those to come are left alone when one fails"}
}

// rollOut carries an operation out on every peer of the target, some at a time.
func (p *program) rollOut(c *cli.Context, typ string, req any, lines bool) ([]control.Outcome, error) {
	width := c.Int("batch")
	switch {
	case width < 1:
		return nil, usagef("--batch must be 1 or more")
	case c.String("controller") == "" || c.String("target") == "":
		return nil, usagef("--batch needs --controller URL and --target ID")
	case c.Bool("primary") || c.String("peer") != "":
		return nil, usagef("--batch is for all peers of the target: leave --primary and --peer out")
	}
	ctx, cancel := limited(c, actGrace)
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
	if len(channels) == 0 {
		return nil, control.Errorf(control.CodeNotFound, "target %q has no peer: `ccpc targets` lists those that are there", c.String("target"))
	}
	var all []control.Outcome
	for len(channels) > 0 {
		n := min(width, len(channels))
		outcomes, err := p.actOnEach(ctx, f, channels[:n], typ, req, lines)
		all, channels = append(all, outcomes...), channels[n:]
		if err != nil {
			return all, fmt.Errorf("%w (%d peers of the target were not asked)", err, len(channels))
		}
		if bad := verdict(outcomes); bad != nil {
			if len(channels) > 0 {
				p.out.note("%d peers of the target were not asked", len(channels))
			}
			break
		}
	}
	return all, nil
}

// actOnEach carries an operation out on several channels at once.
func (p *program) actOnEach(ctx context.Context, f *api.FleetClient, channels []fleetChannel, typ string, req any, lines bool) ([]control.Outcome, error) {
	outcomes := make([][]control.Outcome, len(channels))
	errs := make([]error, len(channels))
	var telling sync.Mutex
	var wg sync.WaitGroup
	for i, ch := range channels {
		wg.Go(func() {
			peer := peerOn(ctx, f, ch)
			result, err := f.Target(ch.Target, api.To{Channel: ch.ID}).Stream(ctx, typ, req, func(item json.RawMessage) error {
				telling.Lock()
				defer telling.Unlock()
				return p.tellStep(item, "@"+peer, lines)
			})
			if err == nil {
				err = json.Unmarshal(result, &outcomes[i])
			}
			errs[i] = err
			for n := range outcomes[i] {
				outcomes[i][n].Name += "@" + peer
			}
		})
	}
	wg.Wait()
	var all []control.Outcome
	var first error
	for i := range channels {
		all = append(all, outcomes[i]...)
		if first == nil {
			first = errs[i]
		}
	}
	return all, first
}

// tellStep shows one step of an operation; where says of which peer.
func (p *program) tellStep(item json.RawMessage, where string, lines bool) error {
	var s control.Step
	if err := json.Unmarshal(item, &s); err != nil {
		return err
	}
	s.Name += where
	if lines {
		return p.out.json(s, "")
	}
	p.out.progress("%s", stepText(s))
	return nil
}

// decodeStrictly refuses fields that v does not have.
func decodeStrictly(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
