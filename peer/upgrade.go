package peer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/supervisor"
)

// handoverPatience is how long an upgrade waits for what cannot be handed over
// while it is under way, unless it is told otherwise.
const handoverPatience = 30 * time.Second

// upgradeKey is where the journal keeps the latest upgrade.
const upgradeKey = "upgrade"

// passage is the peer's way out by becoming another program.
type passage struct {
	orders gate            // what gives orders: commands, reloads, schedules
	here   context.Context // ends, with errAskAgain, when the peer is handed over
	leave  context.CancelCauseFunc
	begun  chan *succession // of the one that is carried out

	undecided chan struct{} // holds a token when end has been taken back

	mu     sync.Mutex // guards all following fields
	end    end
	latest *control.Upgrade
}

// end is how the peer ends; the first that is decided stands.
type end uint8

const (
	none end = iota
	stops
	passesOn
)

// errAskAgain tells a caller that the next program answers.
var errAskAgain = control.AskAgain(nil)

func (w *passage) init() {
	w.here, w.leave = context.WithCancelCause(context.Background())
	w.begun, w.undecided = make(chan *succession, 1), make(chan struct{}, 1)
}

// decide reports whether the peer ends so.
func (w *passage) decide(e end) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end == none {
		w.end = e
	}
	return w.end == e
}

func (w *passage) note(u *control.Upgrade) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest = u
}

func (w *passage) last() *control.Upgrade {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// whileHere is ctx that ends, with errAskAgain as its cause, when the peer is
// handed over.
func (w *passage) whileHere(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(w.here, func() { cancel(errAskAgain) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// isLeft reports whether a ctx of whileHere has ended because the peer is handed
// over.
func isLeft(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errAskAgain) }

// order is where an order begins; it is given as a whole by this peer or not at
// all. The caller calls given.
func (w *passage) order(ctx context.Context, what string) (given func(), err error) {
	ctx, cancel := w.whileHere(ctx)
	defer cancel()
	if err := w.orders.enter(ctx, what); err != nil {
		return nil, err
	}
	return func() { w.orders.leave(what) }, nil
}

// order gives an order that nobody waits for.
func (p *Peer) order(ctx context.Context, kind lifecycle.EventKind, cause lifecycle.Cause, by string, keys ...supervisor.Key) error {
	given, err := p.passage.order(ctx, by)
	if err != nil {
		return err
	}
	defer given()
	return p.sup.Act(ctx, kind, cause, by, keys...)
}

// ordered makes a handler one order.
func ordered[Req, Resp any](p *Peer, what string, h func(context.Context, Req, progress) (Resp, error)) func(context.Context, Req, progress) (Resp, error) {
	return func(ctx context.Context, r Req, tell progress) (resp Resp, err error) {
		given, err := p.passage.order(ctx, what)
		if err != nil {
			return resp, err
		}
		defer given()
		return h(ctx, r, tell)
	}
}

// succession is an upgrade that nothing can call off any more.
type succession struct {
	candidate *candidate
	upgrade   control.Upgrade
	state     supervisor.Handover
}

// upgrade hands the peer over to another program. Until everything that cannot
// be handed over is done, an error leaves all as it was. The reply is the last
// that this program has to say; status tells how it went.
func (p *Peer) upgrade(ctx context.Context, r control.UpgradeRequest, _ progress) (control.Upgrade, error) {
	if !p.upgrading.TryLock() {
		return control.Upgrade{}, control.Errorf(control.CodeFailed, "another upgrade is under way: `ccpc status` shows how it goes")
	}
	defer p.upgrading.Unlock()
	u := control.Upgrade{From: p.opts.Version, At: time.Now(), By: control.CallerFrom(ctx).By, Outcome: "underway"}
	if p.keeper == nil {
		return u, control.Errorf(control.CodeFailed, "no keeper on this platform, so nothing can be handed over: stop peerd and start the other version")
	}
	c, err := p.candidate(ctx, r.Binary)
	if errors.Is(err, errSame) {
		u.To, u.Binary, u.Outcome = u.From, c.path, "already"
		return u, nil
	}
	if err != nil {
		p.log.Warn("upgrade refused", "binary", r.Binary, "by", u.By, "error", err)
		return u, err
	}
	if err := p.canRecord(); err != nil {
		return u, err
	}
	u.To, u.Binary = c.answer.Version, c.path
	p.log.Info("upgrade begins", "from", u.From, "to", u.To, "binary", u.Binary, "by", u.By)
	patience := handoverPatience
	if r.TimeoutMs > 0 {
		patience = time.Duration(r.TimeoutMs) * time.Millisecond
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	state, err := p.comeToRest(limited)
	if err != nil {
		p.log.Warn("upgrade called off", "to", u.To, "by", u.By, "error", err)
		return u, calledOff(err)
	}
	p.passage.note(&u)
	p.passage.leave(errAskAgain)
	p.passage.begun <- &succession{candidate: c, upgrade: u, state: state}
	return u, nil
}

func calledOff(err error) error {
	code := control.CodeFailed
	if errors.Is(err, context.DeadlineExceeded) {
		code = control.CodeTimeout
	}
	return control.Errorf(code, "cannot hand over now, and goes on as before: %v: try again, or give it longer by --timeout", err)
}

// errStops says that a peer stops and is not handed over.
var errStops = errors.New("this peer is stopping, or has not begun yet")

// comeToRest waits until nothing is under way that cannot be handed over, and
// has everything hold still. An error leaves all as it was.
func (p *Peer) comeToRest(ctx context.Context) (h supervisor.Handover, err error) {
	if !p.isReady.Load() {
		return h, errStops
	}
	if err := p.passage.orders.shut(ctx); err != nil {
		return h, err
	}
	defer func() {
		if err != nil {
			p.passage.orders.open()
		}
	}()
	for {
		if err := p.sup.Settle(ctx); err != nil {
			return h, err
		}
		if err := p.launcher.steps.shut(ctx); err != nil {
			return h, err
		}
		if !p.passage.decide(passesOn) {
			p.launcher.steps.open()
			return h, errStops
		}
		h, err = p.sup.Freeze(ctx)
		if !errors.Is(err, supervisor.ErrUnsettled) {
			break
		}
		p.passage.undecide()
		p.launcher.steps.open() // something went on meanwhile: once more
	}
	if err != nil { // frozen in part: there is no way back but through the next program
		p.log.Error("not everything could be handed over; the rest is taken up as after a crash", "error", err)
	}
	if err := p.launcher.steps.wait(ctx); err != nil {
		p.log.Warn("cut off by the upgrade", "error", err)
	}
	return h, nil
}

// undecide takes back what decide has decided.
func (w *passage) undecide() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end = none
	select {
	case w.undecided <- struct{}{}:
	default:
	}
}

// orStop decides that the peer stops, unless it is handed over already: then it
// returns to whom.
func (w *passage) orStop() *succession {
	for !w.decide(stops) {
		select {
		case s := <-w.begun:
			return s
		case <-w.undecided:
		}
	}
	return nil
}
