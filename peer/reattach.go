package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// Reattach implements supervisor.Reattacher.
func (l *launcher) Reattach(ctx context.Context, spec *profiles.Spec, a supervisor.Adoption, sink supervisor.Sink) supervisor.Handle {
	g := l.generation(ctx, spec, a.Generation, sink)
	if f, ok := l.facts[l.key(spec, a.Generation)]; ok && a.Handed {
		g.recall(f)
	}
	g.found, g.joined, g.resumed = make(chan struct{}), make(chan struct{}), true
	l.work.Go(func() {
		defer g.join()
		g.resume(a)
	})
	return g
}

// errNoKeeper ends what only a keeper could have kept.
var errNoKeeper = errors.New("there is no keeper to take it up from")

// resume is live for a generation that an earlier peer has launched.
func (g *generation) resume(a supervisor.Adoption) {
	dir := g.l.folder(g.spec, g.number)
	proc, l, err := g.attach(a, dir)
	close(g.found)
	if err != nil {
		g.abandon(a, err)
		return
	}
	ready, err := newReadiness(g, dir)
	if err != nil {
		g.log.Warn("cannot hear the component's notifications", "error", err)
		ready = &readiness{g: g, ready: make(chan struct{})}
	}
	defer ready.close()
	g.isReady.Store(a.Status != lifecycle.Starting)
	if l.Background {
		close(g.background)
	}
	if !l.Alive() && !g.mayFork() {
		g.end(proc, func() {})
		return
	}
	recovered := lifecycle.Event{
		Kind: lifecycle.EvRecovered, Pid: l.Pid, Status: a.Status, State: a.State, StartedAt: l.StartedAt,
		Detail: "taken up by the next peer",
	}
	tell := func() {
		if !a.Handed {
			g.sink.Emit(recovered)
		}
	}
	if a.Status != lifecycle.Starting {
		g.up.Do(func() {}) // its hook has run
	}
	if a.Status != lifecycle.Stopping {
		tell()
	}
	g.follow(proc, ready, func(ctx context.Context) {
		if a.Status == lifecycle.Stopping { // asked over the channel, if there is one
			_ = g.rejoinFor(ctx, dir, rejoinToStop)
			tell()
			return
		}
		g.goOn(ctx, a, ready, dir)
		if l.LiveHash != "" && l.LiveHash != g.spec.LiveHash {
			g.Update(g.spec) // it has changed while no peer was there
		}
	})
}

// attach finds the process and its output.
func (g *generation) attach(a supervisor.Adoption, dir string) (*keeper.Process, life, error) {
	l, err := parseLife(a.Live)
	if err != nil {
		return nil, l, err
	}
	client, ok := g.l.holder.(*keeper.Client)
	if !ok {
		return nil, l, errNoKeeper
	}
	o := g.l.output(g.spec, dir)
	o.First = l.Line
	if a.Status != lifecycle.Starting {
		o.Match = ""
	}
	o.ReadyFD = 0
	out, proc, err := client.Attach(g.ctx, g.l.key(g.spec, g.number), o, l.Identity)
	for err != nil && process.Shortage(err.Error()) != "" && g.ctx.Err() == nil { // it lives, and is not to blame
		sleep(g.ctx, rejoinPause)
		out, proc, err = client.Attach(g.ctx, g.l.key(g.spec, g.number), o, l.Identity)
	}
	if err != nil {
		return nil, l, err
	}
	g.takeUp(proc, out, l.StartedAt)
	return proc, l, nil
}

// abandon ends a generation that cannot be taken up.
func (g *generation) abandon(a supervisor.Adoption, why error) {
	if g.ctx.Err() != nil {
		return // let go meanwhile
	}
	g.log.Error("cannot take up a component; it is ended", "error", why)
	if g.socket != nil {
		_ = g.socket.Close()
	}
	exit := lifecycle.Exit{Code: -1, Reason: why.Error()}
	if l, err := parseLife(a.Live); err == nil {
		if proc, err := g.l.door.Adopt(l.Identity); err == nil {
			ctx, cancel := context.WithTimeout(g.ctx, killPatience)
			defer cancel()
			if left := proc.Kill(ctx); len(left) > 0 {
				g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvUnkillable, Detail: describeMembers(left)})
			}
			proc.Release()
		}
	}
	g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit, TreeEmpty: true})
}

// goOn takes a generation up where it was left: the channel of a component, the
// readiness of a plain process that had not started yet.
func (g *generation) goOn(ctx context.Context, a supervisor.Adoption, ready *readiness, dir string) {
	switch {
	case g.spec.CCP:
		if err := g.rejoinFor(ctx, dir, g.patience()); err != nil && ctx.Err() == nil && g.isNews(err) {
			g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvRefused, Detail: err.Error()})
		}
	case a.Status == lifecycle.Starting:
		g.begin(ctx, ready, dir)
	}
}

// join ends the waiting for the channel of a generation that was taken up.
func (g *generation) join() { g.joining.Do(func() { close(g.joined) }) }

// Pauses between two tries to reach a component, and how long it is tried where
// it is only to be asked to stop.
const (
	rejoinPause  = 200 * time.Millisecond
	rejoinToStop = 3 * time.Second
)

// rejoinFor opens the channel anew and hears the component's state. It tries
// again for a while: the component may be busy, and is not to blame.
func (g *generation) rejoinFor(ctx context.Context, dir string, limit time.Duration) error {
	if !g.spec.CCP {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer g.join()
	for {
		err := g.connect(ctx, dir)
		if err == nil {
			return g.hearState(ctx)
		}
		select {
		case <-time.After(rejoinPause):
		case <-ctx.Done():
			return err
		}
		g.closeLink()
	}
}

// hearState asks for the component's state, as what it reported meanwhile is
// lost. One that has not begun yet reports by itself.
func (g *generation) hearState(ctx context.Context) error {
	rep, err := g.currentLink().client.ReportState(ctx)
	if err != nil {
		return fmt.Errorf("REPORT_STATE was not answered: %w", err)
	}
	if state, err := lifecycle.ParseState(rep.State); err != nil || state == lifecycle.NoState {
		return nil
	}
	_, err = g.statusReport(ctx, ccp.StatusEvent{State: rep.State, StatusType: ccp.Information})
	if errors.Is(err, supervisor.ErrIllegalReport) {
		return nil // the component went on meanwhile, and its own report was faster
	}
	return err
}
