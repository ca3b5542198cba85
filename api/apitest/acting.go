package apitest

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/logs"
)

// outcomes are what each acting operation does to an instance.
var outcomes = map[string]control.Outcome{
	control.OpStart:   {Outcome: "started", Status: "running"},
	control.OpStop:    {Outcome: "stopped", Status: "stopped"},
	control.OpRestart: {Outcome: "started", Status: "running"},
	control.OpKill:    {Outcome: "stopped", Status: "stopped"},
}

func (p *Peer) act(typ string) func(context.Context, control.ActRequest, control.Send) ([]control.Outcome, error) {
	return func(ctx context.Context, req control.ActRequest, send control.Send) ([]control.Outcome, error) {
		sel := req.Selection
		var done []control.Outcome
		for _, special := range []control.Outcome{{Name: "broken", Outcome: "failed", Status: "failed", Detail: "exec: no such file"}, {Name: "late", Outcome: "timeout", Status: "starting"}} {
			if i := slices.Index(sel.Names, special.Name); i >= 0 {
				done = append(done, special)
				sel.Names = slices.Delete(slices.Clone(sel.Names), i, i+1)
			}
		}
		if len(done) > 0 && len(sel.Names) == 0 {
			return done, nil
		}
		instances, err := p.selected(ctx, sel)
		if err != nil {
			return nil, err
		}
		for _, i := range instances {
			o := outcomes[typ]
			o.Name, o.Application = i.Name, i.Application
			if req.NoWait {
				o.Outcome = "accepted"
			}
			for _, state := range []string{"COMPONENT_LAUNCH", "COMPONENT_EXECUTION"} {
				if err := send(control.Step{Name: i.Name, Status: o.Status, State: state}); err != nil {
					return nil, err
				}
			}
			done = append(done, o)
		}
		return done, nil
	}
}

func (p *Peer) scale(ctx context.Context, req control.ScaleRequest, _ control.Send) ([]control.Outcome, error) {
	i, err := p.find(ctx, req.Name, req.Application)
	return []control.Outcome{{Name: i.Name, Application: i.Application, Outcome: "started", Status: "running"}}, err
}

// data answers with how many endless operations were cancelled so far.
func (p *Peer) data(ctx context.Context, req control.DataRequest, send control.Send) (control.Data, error) {
	if _, err := p.find(ctx, req.Name, req.Application); err != nil {
		return control.Data{}, err
	}
	t := time.NewTicker(time.Duration(max(req.IntervalMs, 1)) * time.Millisecond)
	defer t.Stop()
	for n := int64(1); ; n++ {
		body, err := json.Marshal(map[string]any{"n": n, "heap": map[string]int{"used": 1024}, "cancelled": p.Cancelled.Load()})
		if err != nil {
			return control.Data{}, err
		}
		d := control.Data{Name: req.Name, At: Epoch, What: req.What, Source: "component", Data: body}
		if n == max(req.Count, 1) && req.Count >= 0 {
			return d, nil
		}
		if err := send(d); err != nil {
			return d, p.cancelled(ctx, err)
		}
		select {
		case <-ctx.Done():
			return d, p.cancelled(ctx, ctx.Err())
		case <-t.C:
		}
	}
}

func (p *Peer) cancelled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		p.Cancelled.Add(1)
	}
	return err
}

func (p *Peer) logs(ctx context.Context, req control.LogsRequest, send control.Send) (struct{}, error) {
	instances, err := p.selected(ctx, req.Selection)
	if err != nil {
		return struct{}{}, err
	}
	var lines []logs.Line
	for _, i := range instances {
		lines = append(lines, logLines(i.Name)...)
	}
	lines = slices.DeleteFunc(lines, func(l logs.Line) bool { return req.Stream != "" && string(l.Stream) != req.Stream })
	if req.Tail != nil && *req.Tail < len(lines) {
		lines = lines[len(lines)-*req.Tail:]
	}
	for _, l := range lines {
		if err := send(l); err != nil {
			return struct{}{}, p.cancelled(ctx, err)
		}
	}
	return struct{}{}, p.untilCancelled(ctx, req.Follow)
}

func (p *Peer) events(ctx context.Context, req control.EventsRequest, send control.Send) (struct{}, error) {
	for _, r := range records() {
		if r.Seq <= req.Since {
			continue
		}
		if err := send(r); err != nil {
			return struct{}{}, p.cancelled(ctx, err)
		}
	}
	return struct{}{}, p.untilCancelled(ctx, req.Follow)
}

func (p *Peer) untilCancelled(ctx context.Context, follow bool) error {
	if !follow {
		return nil
	}
	<-ctx.Done()
	return p.cancelled(ctx, ctx.Err())
}
