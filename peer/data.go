package peer

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// identifiers are the words of `ccpc data`.
var identifiers = map[string]ccp.Identifier{
	"memory": ccp.MemoryUsage, "loglevels": ccp.LogLevels, "pid": ccp.PID,
	"stats": ccp.ComponentStats, "cpu": ccp.CPUUsage, "threads": ccp.Threads,
}

// data asks the component, and the operating system where the component cannot
// answer. Every answer but the last is told as progress; a caller that goes
// away cancels the request in the component.
func (p *Peer) data(ctx context.Context, r control.DataRequest, tell progress) (control.Data, error) {
	if r.Count == 0 || r.Count == 1 {
		return ordered(p, control.OpData, p.answerData)(ctx, r, tell)
	}
	ctx, cancel := p.passage.whileHere(ctx)
	defer cancel()
	left := r.Count
	d, err := p.answerData(ctx, r, func(d any) error {
		err := tell(d)
		if err == nil && left > 1 {
			left--
		}
		return err
	})
	if err != nil {
		err = errOrAgain(ctx, err, map[string]any{"count": left})
	}
	return d, err
}

func (p *Peer) answerData(ctx context.Context, r control.DataRequest, tell progress) (control.Data, error) {
	v, err := p.one(r.NameRequest)
	if err != nil {
		return control.Data{}, err
	}
	id, ok := identifiers[r.What]
	if !ok {
		return control.Data{}, control.Errorf(control.CodeUsage, "no data %q; there is %s", r.What, strings.Join(slices.Sorted(maps.Keys(identifiers)), ", "))
	}
	if r.Count == 0 {
		r.Count = 1
	}
	if r.Count != 1 && r.IntervalMs <= 0 {
		r.IntervalMs = 1000
	}
	if v.Machine.Status == lifecycle.Running && v.Spec.CCP {
		last, err := p.dataFromComponent(ctx, v, id, r, tell)
		if err == nil || !notSupported(err) || !osAnswers(id) {
			return last, err
		}
	}
	return p.dataFromOS(ctx, v, id, r, tell)
}

// dataFromComponent streams the component's answers.
func (p *Peer) dataFromComponent(ctx context.Context, v *supervisor.View, id ccp.Identifier, r control.DataRequest, tell progress) (control.Data, error) {
	req := ccp.DataRequest{Identifiers: []ccp.Identifier{id}, Loggers: r.Loggers, RepetitionCount: r.Count, IntervalMs: r.IntervalMs}
	answer := func(rep exchange.Reply) (control.Data, error) {
		var d ccp.Data
		if err := json.Unmarshal(rep.Payload, &d); err != nil {
			return control.Data{}, control.Errorf(control.CodeFailed, "%s answered with unreadable data: %v", v.Name, err)
		}
		var raw json.RawMessage
		if err := d.Value(id, &raw); err != nil {
			return control.Data{}, &refusal{v.Name, err.Error()}
		}
		return control.Data{Name: v.Name, At: time.Now(), What: r.What, Source: "component", Data: raw}, nil
	}
	each := func(rep exchange.Reply) error {
		d, err := answer(rep)
		if err != nil {
			return err
		}
		return tell(d)
	}
	if r.Count == 1 {
		each = nil
	}
	ctx, cancel := context.WithTimeout(ctx, streamTime(r))
	defer cancel()
	reply, err := p.tell(ctx, v, ccp.TypeDataRequest, req, each)
	if err != nil {
		return control.Data{}, err
	}
	if err := reply.Err(); err != nil {
		return control.Data{}, &refusal{v.Name, err.Error()}
	}
	return answer(reply)
}

// endless stands for no limit: every command has a deadline, and who follows an
// endless request ends it by going away.
const endless = 365 * 24 * time.Hour

// streamTime is how long the answers to a repeated request may take.
func streamTime(r control.DataRequest) time.Duration {
	interval := time.Duration(r.IntervalMs) * time.Millisecond
	if r.Count < 0 || interval > 0 && r.Count > int64(endless/interval) {
		return endless
	}
	return time.Duration(r.Count)*interval + commandTimeout
}

// refusal is a component's ERROR reply to a data request.
type refusal struct{ name, details string }

func (r *refusal) Error() string { return r.name + " refused: " + r.details }

func notSupported(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}

func osAnswers(id ccp.Identifier) bool {
	return id == ccp.MemoryUsage || id == ccp.CPUUsage || id == ccp.Threads || id == ccp.PID
}

// dataFromOS answers for the process tree.
func (p *Peer) dataFromOS(ctx context.Context, v *supervisor.View, id ccp.Identifier, r control.DataRequest, tell progress) (control.Data, error) {
	if !osAnswers(id) {
		_, err := commander(v)
		if err == nil {
			err = control.Errorf(control.CodeFailed, "%s is %s, not running", v.Name, v.Machine.Status)
		}
		return control.Data{}, err
	}
	for n := int64(1); ; n++ {
		raw, err := p.sampleOS(ctx, v.Key, id)
		if err != nil {
			return control.Data{}, err
		}
		d := control.Data{Name: v.Name, At: time.Now(), What: r.What, Source: "os", Data: raw}
		if n == r.Count {
			return d, nil
		}
		if err := tell(d); err != nil {
			return d, err
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(time.Duration(r.IntervalMs) * time.Millisecond):
		}
	}
}

func (p *Peer) sampleOS(ctx context.Context, k supervisor.Key, id ccp.Identifier) (json.RawMessage, error) {
	v, ok := p.sup.View(k)
	if !ok {
		return nil, control.Errorf(control.CodeNotFound, "%s left the plan", k)
	}
	g := atHand(ctx, v)
	if g == nil {
		return nil, control.Errorf(control.CodeFailed, "%s is %s, not running%s", v.Name, v.Machine.Status, reason(v))
	}
	u, err := g.sample()
	if err != nil {
		return nil, control.Errorf(control.CodeFailed, "cannot look at the processes of %s: %v", v.Name, err)
	}
	switch id {
	case ccp.MemoryUsage:
		return rawJSON(map[string]any{"resident": u.Memory, "processes": u.Pids}), nil
	case ccp.CPUUsage:
		return rawJSON(map[string]any{"cpuTimeMs": u.CPUTime.Milliseconds(), "cores": p.usage.of(k, v.Machine.Generation).cpu}), nil
	case ccp.Threads:
		return rawJSON(map[string]any{"threads": u.Threads, "fds": u.FDs}), nil
	default:
		return rawJSON(map[string]any{"pid": v.Machine.Pid}), nil
	}
}
