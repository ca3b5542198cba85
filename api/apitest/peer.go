package apitest

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/logs"
)

// Epoch is the time of all canned facts.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC)

// Peer holds the state that the canned answers have.
type Peer struct {
	// Cancelled counts endless operations that their caller ended.
	Cancelled atomic.Int64
	// LastBy is who asked last.
	LastBy atomic.Value
}

// New makes a peer.
func New() *Peer { return &Peer{} }

// Register answers every operation on m.
func (p *Peer) Register(m control.Registrar) {
	control.Handle(m, control.OpPs, p.ps)
	control.Handle(m, control.OpGet, p.get)
	for _, typ := range []string{control.OpStart, control.OpStop, control.OpRestart, control.OpKill} {
		control.Handle(m, typ, p.act(typ))
	}
	control.Handle(m, control.OpScale, p.scale)
	control.Handle(m, control.OpReportState, p.reportState)
	control.Handle(m, control.OpSetLogLevel, p.setLogLevel)
	control.Handle(m, control.OpData, p.data)
	for _, typ := range []string{control.OpFlush, control.OpClearLogs, control.OpDumpStack} {
		control.Handle(m, typ, p.order(typ))
	}
	control.Handle(m, control.OpSend, p.send)
	control.Handle(m, control.OpLogs, p.logs)
	control.Handle(m, control.OpEvents, p.events)
	control.Handle(m, control.OpHistory, p.history)
	control.Handle(m, control.OpPlan, p.plan)
	control.Handle(m, control.OpReload, p.reload)
	control.Handle(m, control.OpUpgrade, p.upgrade)
	control.Handle(m, control.OpStatus, p.status)
	control.Handle(m, control.OpSnapshot, p.snapshot)
	control.Handle(m, control.OpGraph, p.graph)
}

// Instances are the instances there are.
func (p *Peer) Instances() []control.Instance {
	started := Epoch
	exit := &control.Exit{Code: -1, Signal: "SIGKILL", At: Epoch}
	instance := func(app, name, status, state string, pid int) control.Instance {
		return control.Instance{Name: name, Application: app, Address: app + "__1_0__" + name, Component: name, Instance: 1, Generation: 3, Desired: "up", Status: status, State: state, Pid: pid, Health: "unknown"}
	}
	ticker := instance("orders", "ticker", "running", "COMPONENT_EXECUTION", 4242)
	ticker.StartedAt, ticker.Restarts, ticker.CCP, ticker.CCPVersion, ticker.Health = &started, 2, true, "1.0", "healthy"
	ticker.LastExit, ticker.CPU, ticker.Memory = exit, 0.1, 12<<20
	db := instance("orders", "db", "waiting", "", 0)
	db.Reason = "waits for cache: healthy"
	return []control.Instance{ticker, db, instance("orders", "web", "stopped", "", 0), instance("shop", "web", "stopped", "", 0)}
}

// DroppedLogBytes makes a Peer an api.Source.
func (p *Peer) DroppedLogBytes() uint64 { return 17 }

// find is the instance that a name means.
func (p *Peer) find(ctx context.Context, name, app string) (control.Instance, error) {
	p.LastBy.Store(control.CallerFrom(ctx).By)
	switch name {
	case "secret":
		return control.Instance{}, control.Errorf(control.CodeRefused, "component secret is not for you")
	case "stuck":
		<-ctx.Done()
		p.Cancelled.Add(1)
		return control.Instance{}, ctx.Err()
	}
	if a, n, ok := strings.Cut(name, "/"); ok {
		app, name = a, n
	}
	for _, i := range p.Instances() {
		if i.Name == name && (app == "" || app == i.Application) {
			return i, nil
		}
	}
	return control.Instance{}, control.Errorf(control.CodeNotFound, "there is no instance %q: `ccpc ps` lists them", name)
}

// selected are the instances of a selection; nothing named is all.
func (p *Peer) selected(ctx context.Context, sel control.Selection) ([]control.Instance, error) {
	if len(sel.Names) == 0 {
		all := []control.Instance{}
		for _, i := range p.Instances() {
			if sel.Application == "" || sel.Application == i.Application {
				all = append(all, i)
			}
		}
		return all, nil
	}
	var found []control.Instance
	for _, name := range sel.Names {
		i, err := p.find(ctx, name, sel.Application)
		if err != nil {
			return nil, err
		}
		found = append(found, i)
	}
	return found, nil
}

func (p *Peer) ps(ctx context.Context, sel control.Selection, _ control.Send) ([]control.Instance, error) {
	return p.selected(ctx, sel)
}

func (p *Peer) get(ctx context.Context, req control.NameRequest, _ control.Send) (control.Detail, error) {
	i, err := p.find(ctx, req.Name, req.Application)
	if err != nil {
		return control.Detail{}, err
	}
	return control.Detail{Instance: i, Spec: map[string]any{"command": []string{"/bin/ticker"}, "replicas": 1}, Recent: records(), Tree: []control.Process{{Pid: i.Pid, Command: "ticker --flag"}}}, nil
}

func records() []journal.Record {
	r := journal.Record{Seq: 17, At: Epoch, Name: "ticker", Application: "orders", Generation: 3, From: "starting", To: "running", State: "COMPONENT_EXECUTION", Cause: "status", By: "uid 0 pid 77 ccpc", Pid: 4242}
	end := r
	end.Seq, end.From, end.To, end.Cause, end.State = 18, "running", "failed", "exit", ""
	end.Exit = &journal.Exit{Code: -1, Signal: "SIGKILL"}
	return []journal.Record{r, end}
}

func (p *Peer) reportState(ctx context.Context, req control.NameRequest, _ control.Send) (control.StateReport, error) {
	_, err := p.find(ctx, req.Name, req.Application)
	return control.StateReport{Name: req.Name, State: "COMPONENT_EXECUTION", Since: Epoch, OperationScope: "COMPONENT"}, err
}

func (p *Peer) setLogLevel(ctx context.Context, req control.LogLevelRequest, _ control.Send) (control.LogLevels, error) {
	_, err := p.find(ctx, req.Name, req.Application)
	logger := req.Logger
	if logger == "" {
		logger = "root"
	}
	return control.LogLevels{Levels: map[string]string{"http": "info", logger: req.Level}}, err
}

func (p *Peer) order(typ string) func(context.Context, control.NameRequest, control.Send) (control.SendReply, error) {
	return func(ctx context.Context, req control.NameRequest, _ control.Send) (control.SendReply, error) {
		_, err := p.find(ctx, req.Name, req.Application)
		return control.SendReply{Type: typ, Status: "SUCCEEDED"}, err
	}
}

// send answers FAIL with an error, HANG never, ECHO with its payload, the last
// two after one progress.
func (p *Peer) send(ctx context.Context, req control.SendRequest, send control.Send) (control.SendReply, error) {
	if _, err := p.find(ctx, req.Name, req.Application); err != nil {
		return control.SendReply{}, err
	}
	if req.Type == "FAIL" {
		return control.SendReply{Type: req.Type, Status: "ERROR", ErrorDetails: "told to fail"}, nil
	}
	if err := send(map[string]int{"percent": 50}); err != nil {
		return control.SendReply{}, err
	}
	if req.Type == "HANG" {
		<-ctx.Done()
		return control.SendReply{}, ctx.Err()
	}
	return control.SendReply{Type: req.Type, Status: "SUCCEEDED", Payload: req.Payload}, nil
}

func (p *Peer) history(ctx context.Context, req control.EventsRequest, _ control.Send) ([]journal.Record, error) {
	if req.Name != "" {
		if _, err := p.find(ctx, req.Name, req.Application); err != nil {
			return nil, err
		}
	}
	return records(), nil
}

func (p *Peer) plan(context.Context, struct{}, control.Send) (map[string]any, error) {
	return map[string]any{"hash": "abc"}, nil
}

// upgrade finds that the program runs already.
func (p *Peer) upgrade(_ context.Context, req control.UpgradeRequest, _ control.Send) (control.Upgrade, error) {
	if req.Binary == "" {
		req.Binary = "/usr/bin/peerd"
	}
	return control.Upgrade{From: "1.0", To: "1.0", Binary: req.Binary, At: Epoch, By: "uid 0 pid 1 test", Outcome: "already"}, nil
}

// reload accepts a dry run and finds the profile invalid otherwise.
func (p *Peer) reload(_ context.Context, req control.ReloadRequest, _ control.Send) (control.ReloadReply, error) {
	if !req.DryRun {
		e := control.Errorf(control.CodeInvalid, "the profile has 1 fault; nothing was changed\ndemo.yaml:3:5: replica: unknown key, did you mean replicas")
		e.Details = []string{"demo.yaml:3:5: replica: unknown key"}
		return control.ReloadReply{}, e
	}
	return control.ReloadReply{Changes: []control.Change{{Name: "ticker", Application: "orders", Change: "restart", Fields: []string{"env"}}}, Warnings: []string{"odd.xml: two names"}, Hash: "def"}, nil
}

func (p *Peer) status(context.Context, struct{}, control.Send) (control.PeerStatus, error) {
	return control.PeerStatus{Peer: "demo", Version: "0.1.0", Pid: 10, KeeperPid: 11, UptimeMs: 61_000, Profile: "demo.yaml", Plan: control.PlanStatus{Hash: "abc", AppliedAt: Epoch}, Degraded: []string{}, Counts: map[string]int{"running": 1, "waiting": 1, "stopped": 2}, Containment: "cgroup2"}, nil
}

func (p *Peer) graph(context.Context, struct{}, control.Send) (control.Graph, error) {
	return control.Graph{
		Nodes:        []control.GraphNode{{Name: "orders/db", Status: "waiting", StartMs: 40}, {Name: "orders/ticker", Status: "running", StartMs: 20}},
		Edges:        []control.GraphEdge{{From: "orders/ticker", To: "orders/db", Condition: "healthy"}},
		CriticalPath: []string{"orders/db", "orders/ticker"},
	}, nil
}

// logLines are ticker's output; one line has control bytes.
func logLines(name string) []logs.Line {
	return []logs.Line{
		{At: Epoch, Name: name, Stream: logs.Out, Text: "tick 1"},
		{At: Epoch, Name: name, Stream: logs.Err, Text: "\x1b[31mred\x07\x1b[0m \xff"},
		{At: Epoch, Name: name, Stream: logs.Out, Text: "half ", Partial: true},
		{At: Epoch, Name: name, Stream: logs.Out, Text: "whole"},
	}
}

// snapshot takes any path but one that is there already.
func (p *Peer) snapshot(_ context.Context, req control.SnapshotRequest, _ control.Send) (control.SnapshotReply, error) {
	if req.Path == "/there" {
		return control.SnapshotReply{}, control.Errorf(control.CodeFailed, "cannot take a snapshot: /there is there already")
	}
	return control.SnapshotReply{Path: req.Path, ID: "one", Taken: Epoch, Buckets: []string{"KV_exchange-batches"}}, nil
}
