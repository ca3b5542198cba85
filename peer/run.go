package peer

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// Run applies the plan, serves the API, and keeps the components as wanted
// until ctx ends; then it stops them in reverse order (or keeps them, as
// onPeerExit says) and returns when nothing of its own is left. It also returns
// when another program is to go on; Successor is that then.
func (p *Peer) Run(ctx context.Context) error {
	defer func() {
		if err := p.close(); err != nil {
			p.log.Error("cannot close", "error", err)
		}
	}()
	listeners, server, err := p.listen()
	if err != nil {
		return err
	}
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	var group errgroup.Group
	group.Go(func() error {
		err := ended(p.sup.Run(work))
		p.launcher.work.Wait()
		return err
	})
	group.Go(func() error {
		p.usage.run(work, p.sup.Views, p.checkMemory)
		return nil
	})
	// Who calls before everything is taken up waits for the answer.
	if err := p.begin(work); err != nil {
		endWork()
		if !p.opts.Handover.Accepted() {
			leaveSockets(listeners)
		}
		return errors.Join(err, closeAll(listeners), group.Wait())
	}
	finish := p.arrive()
	serving, served := make(chan error, 1), make(chan struct{})
	group.Go(func() error {
		defer close(served)
		serving <- server.Serve(work, listeners...)
		return nil
	})
	p.undertake(work, &group, finish)
	p.isReady.Store(true)
	if p.opts.Ready != nil {
		p.opts.Ready()
	}
	s, stopped, cause := p.awaitEnd(ctx, serving)
	p.isReady.Store(false)
	if s == nil {
		p.wind(work)
		endWork()
		return errors.Join(cause, group.Wait())
	}
	p.next = p.letGo(s, listeners, server, func() error {
		<-served
		endWork()
		return group.Wait()
	})
	p.next.doc.Stop = stopped
	return cause
}

// awaitEnd waits for a reason to end. s is to whom everything is handed over,
// nil where the peer stops; stopped: it was told to stop all the same.
func (p *Peer) awaitEnd(ctx context.Context, serving <-chan error) (s *succession, stopped bool, cause error) {
	select {
	case <-ctx.Done():
	case cause = <-p.failed:
	case cause = <-serving:
	case s = <-p.passage.begun:
		return s, false, nil
	}
	return p.passage.orStop(), true, cause
}

// undertake begins all that goes on beside the instances, until work ends.
func (p *Peer) undertake(work context.Context, group *errgroup.Group, also func(context.Context)) {
	for _, run := range []func(context.Context){also, p.watch, p.upkeep, p.watchSources, p.schedule, p.elect, p.belong, p.hostController} {
		group.Go(func() error {
			run(work)
			return nil
		})
	}
}

// Successor is the program that goes on when Run has returned; nil: none does.
func (p *Peer) Successor() *Successor { return p.next }

// openDoor opens the way to processes; children of the program before are kept
// for whoever adopts them.
func openDoor(h *Handover) (*process.Door, error) {
	if h != nil {
		return process.Reopen()
	}
	return process.Open()
}

// ended drops the error that only says that the end was asked for.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// begin applies the first plan on top of what the journal remembers.
func (p *Peer) begin(ctx context.Context) error {
	restore, leaving, err := p.recover(ctx)
	if err != nil {
		return err
	}
	plan, _ := p.currentPlan()
	changes := append(leaving, profiles.Diff(nil, plan)...)
	if err := p.remember(restore, changes); err != nil {
		return err
	}
	if err := p.sup.Apply(ctx, plan, changes, restore, "peerd"); err != nil {
		return err
	}
	p.mu.Lock()
	p.applied = time.Now()
	p.mu.Unlock()
	return p.keepScene(plan)
}

// Hasten makes a stop of the peer in progress lose its patience.
func (p *Peer) Hasten() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.hasten:
	default:
		close(p.hasten)
	}
}

// wind stops every instance in reverse order, by force once hastened.
func (p *Peer) wind(ctx context.Context) {
	plan, _ := p.currentPlan()
	if plan.Peer.OnPeerExit == "keep" {
		return
	}
	views := p.sup.Views()
	keys := make([]supervisor.Key, len(views))
	for i, v := range views {
		keys[i] = v.Key
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The cause is not a command: it leaves what operators want as it is.
		if err := p.sup.Drain(ctx, lifecycle.CauseReload, "peerd shutdown"); err != nil {
			p.log.Error("cannot stop everything", "error", err)
		}
	}()
	select {
	case <-done:
	case <-p.hasten:
		_ = p.sup.Act(ctx, lifecycle.EvKill, lifecycle.CauseReload, "peerd shutdown, hastened", keys...)
		<-done
	}
	for _, v := range p.sup.Views() {
		if !v.AtRest() {
			p.log.Error("cannot be ended, and is left behind", "component", v.Key.String(), "reason", v.Machine.Reason)
		}
	}
}
