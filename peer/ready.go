package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/notify"
	"github.com/seed-04209a44/peerd/probe"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/supervisor"
)

// readiness waits until a plain process counts as started, by the one way its
// profile chose, and hears what it says by sd_notify for as long as it lives.
type readiness struct {
	g      *generation
	notify *notify.Socket
	ready  chan struct{} // closed when the process said READY=1
	once   sync.Once
	fifo   *process.FIFO // of the readiness descriptor
	before []string      // what was said by sd_notify while no peer was there
}

// newReadiness prepares what must exist before the process is spawned.
func newReadiness(g *generation, dir string) (*readiness, error) {
	r := &readiness{g: g, ready: make(chan struct{})}
	if g.saidReady.Load() {
		r.said() // to the peer that handed it over
	}
	want := g.spec.Ready
	var err error
	switch {
	case g.spec.CCP:
	case want.Notify:
		if r.notify, r.before, err = g.listenNotify(dir); err != nil {
			return nil, fmt.Errorf("cannot listen for sd_notify: %w", err)
		}
	case want.FD != 0:
		if r.fifo, err = process.OpenFIFO(filepath.Join(dir, "ready")); err != nil {
			return nil, fmt.Errorf("cannot make the readiness descriptor: %w", err)
		}
	case want.LogLine != "":
		if _, err := regexp.Compile(want.LogLine); err != nil {
			return nil, &permanentError{fmt.Errorf("ready.logLine: %w", err)}
		}
	}
	return r, nil
}

// listenNotify opens the socket of sd_notify, or goes on with the one that the
// keeper has kept or the program before has left. said is what was said on it
// meanwhile.
func (g *generation) listenNotify(dir string) (n *notify.Socket, said []string, err error) {
	var kept *os.File
	if out := g.capture(); g.resumed && out != nil {
		kept, said, err = out.Notify(g.ctx)
		switch {
		case errors.Is(err, exchange.ErrUnknown):
			g.log.Debug("the keeper, of an earlier version, does not keep the component's notify socket")
		case err != nil:
			g.log.Warn("cannot get the component's notify socket from the keeper", "error", err)
		}
	}
	switch before := cmp.Or(g.socket, kept); before {
	case nil:
		n, err = notify.Listen(dir)
	default:
		n, err = notify.Inherit(before, dir)
	}
	if out := g.capture(); err == nil && g.resumed && out != nil && (kept == nil || g.socket != nil) {
		g.shareNotify(n, func(f *os.File) error { return out.ShareNotify(g.ctx, f) })
	}
	if kept != nil && g.socket != nil {
		_ = kept.Close()
	}
	g.socket = nil
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notify = n
	return n, said, err
}

// shareNotify has the keeper keep the socket, so that what is said on it is not
// lost with this peer. An earlier version of the keeper cannot.
func (g *generation) shareNotify(n *notify.Socket, share func(*os.File) error) {
	f, err := n.Leave()
	if err == nil {
		err = errors.Join(share(f), f.Close())
	}
	if err != nil {
		g.log.Debug("the keeper does not keep the component's notify socket", "error", err)
	}
}

// leaveNotify leaves the socket to the next program; nil where there is none.
func (g *generation) leaveNotify() (*os.File, error) {
	g.mu.Lock()
	n := g.notify
	g.mu.Unlock()
	if n == nil {
		return nil, nil
	}
	return n.Leave()
}

// env are the variables that tell the process how to say that it is ready.
func (r *readiness) env() []string {
	if r.notify == nil {
		return nil
	}
	return []string{"NOTIFY_SOCKET=" + r.notify.Path()}
}

// close frees what newReadiness prepared.
func (r *readiness) close() {
	if r.fifo != nil {
		_ = r.fifo.Close()
	}
	if r.notify != nil {
		_ = r.notify.Close()
	}
}

// listen hears the process's notifications until ctx ends.
func (r *readiness) listen(ctx context.Context) {
	if r.notify == nil {
		return
	}
	watchdog := &watchdog{g: r.g}
	defer watchdog.stop()
	if every := r.g.watchdogEvery.Load(); every > 0 {
		watchdog.set(time.Duration(every))
	}
	for _, text := range r.before {
		r.heard(notify.Parse([]byte(text)), watchdog)
	}
	err := r.notify.Run(ctx, func(pid int) bool { return belongs(r.g.process(), pid) }, r.remember(ctx), func(m notify.Message) {
		r.heard(m, watchdog)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, os.ErrClosed) {
		r.g.log.Warn("cannot hear sd_notify any more", "error", err)
	}
}

// rememberPatience bounds how long what the process says waits for a keeper.
const rememberPatience = 2 * time.Second

// remember has the keeper know what lasts of what the process says, so that it is
// known to the next peer though this one dies before it has acted on it.
func (r *readiness) remember(ctx context.Context) func(text string) {
	return func(text string) {
		ctx, cancel := context.WithTimeout(ctx, rememberPatience)
		defer cancel()
		if out := r.g.capture(); out != nil {
			_ = out.Note(ctx, text) // a keeper of an earlier version cannot
		}
	}
}

// heard acts on one notification.
func (r *readiness) heard(m notify.Message, w *watchdog) {
	if m.Status != "" || m.Reloading || m.Stopping {
		r.g.log.Info("notification", "status", m.Status, "reloading", m.Reloading, "stopping", m.Stopping)
	}
	r.g.note(m)
	if m.Extend > 0 {
		r.g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvProgress, Extend: m.Extend})
	}
	if m.Ready {
		r.said()
	}
	switch {
	case m.Trigger:
		r.g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvUnhealthy, Detail: "it asked for its watchdog"})
	case m.Interval > 0:
		w.set(m.Interval)
	case m.Watchdog:
		w.alive()
	}
}

// said notes that the process is ready, for this peer and the next.
func (r *readiness) said() {
	r.g.saidReady.Store(true)
	r.once.Do(func() { close(r.ready) })
}

// asks reports whether anything but time shows that the process is ready.
func (r *readiness) asks() bool { return r.g.spec.Ready.StartSeconds == 0 }

// note keeps what the process says of itself, for ps to show.
func (g *generation) note(m notify.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.Status != "" {
		g.says = m.Status
	}
	if m.Reloading || m.Ready {
		g.reloading = m.Reloading
	}
}

// word is what the process says of itself, "" while it says nothing.
func (g *generation) word() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.reloading && g.says != "":
		return "reloading: " + g.says
	case g.reloading:
		return "reloading"
	}
	return g.says
}

// wait returns nil once the process is ready.
func (r *readiness) wait(ctx context.Context) error {
	want := r.g.spec.Ready
	if r.g.saidReady.Load() && r.notify == nil {
		return nil
	}
	if check, ok := probeOf(want.Check, r.g.spec.WorkingDirectory, r.g.environment()); ok {
		return untilPasses(ctx, check)
	}
	if r.fifo != nil {
		err := probe.WaitNewline(ctx, r.fifo.Read)
		if err == nil {
			r.said()
		}
		return err
	}
	var ready <-chan struct{}
	var alive <-chan time.Time
	switch {
	case r.notify != nil:
		ready = r.ready
	case want.LogLine != "":
		ready = r.g.capture().Matched()
	default:
		alive = time.After(want.StartSeconds)
	}
	select {
	case <-ready:
		return nil
	case <-alive:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watchdog expects a sign of life within each interval, once the process has
// asked for one.
type watchdog struct {
	g        *generation
	interval time.Duration
	timer    *time.Timer
}

func (w *watchdog) set(interval time.Duration) {
	w.interval = interval
	w.g.watchdogEvery.Store(int64(interval))
	w.alive()
}

func (w *watchdog) alive() {
	if w.interval <= 0 {
		return
	}
	w.stop()
	w.timer = time.AfterFunc(w.interval, func() {
		w.g.sink.Health(supervisor.HealthBad, "no WATCHDOG=1 within "+strconv.FormatInt(w.interval.Milliseconds(), 10)+" ms")
		w.g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvUnhealthy, Detail: "its watchdog ran out after " + w.interval.String()})
	})
}

func (w *watchdog) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
