package supervisor_test

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// role is how a generation behaves.
type role struct {
	readyAfter time.Duration // negative: never
	lives      time.Duration // from ready on; 0: for ever
	code       int
	deaf       bool          // neither question nor signal moves it
	severed    bool          // INITIATE_SHUTDOWN does not reach it
	leaves     bool          // announces its end by itself
	rude       bool          // reports what its state does not allow
	progresses bool          // prolongs its launch for ever
	slow       time.Duration // from the order to stop to its end
	leftover   time.Duration // its tree outlives the leader so long; 0: not
	stuck      time.Duration // SIGKILL does nothing so long
	sick       time.Duration // then its health is bad; 0: never
}

func (s *stage) roleOf(spec *profiles.Spec) role {
	if s.quiet {
		r := role{readyAfter: 10 * time.Millisecond}
		if spec.OneShot {
			r.lives = time.Second
		}
		return r
	}
	one := func(in int) bool { return s.rand.IntN(in) == 0 }
	r := role{readyAfter: time.Duration(s.rand.IntN(5000)) * time.Millisecond, code: s.rand.IntN(3)}
	switch s.rand.IntN(20) {
	case 0:
		r.readyAfter = -1
	case 1, 2:
		r.lives = time.Duration(1 + s.rand.IntN(1000))
	case 3:
	default:
		r.lives = time.Duration(s.rand.ExpFloat64()*float64(2*time.Hour)) + 1
	}
	if spec.OneShot {
		r.lives = time.Duration(1+s.rand.IntN(600)) * time.Second
	}
	r.deaf, r.severed, r.leaves, r.rude, r.progresses = one(10), one(10), one(5), one(5), one(2)
	if one(2) {
		r.slow = time.Duration(s.rand.IntN(25000)) * time.Millisecond
	}
	if one(5) {
		r.leftover = time.Duration(1+s.rand.IntN(500)) * time.Millisecond
	}
	if one(200) {
		r.stuck = time.Duration(1+s.rand.IntN(600)) * time.Second
	}
	if spec.Health != nil && one(3) {
		r.sick = time.Duration(s.rand.ExpFloat64()*float64(time.Hour)) + 1
	}
	return r
}

// performer is one generation on the stage; it implements supervisor.Handle,
// supervisor.Updater and supervisor.Settler.
type performer struct {
	s          *stage
	key        supervisor.Key
	spec       *profiles.Spec
	generation uint64
	pid        int
	ctx        context.Context
	sink       supervisor.Sink
	orders     chan order
	role       role
	state      lifecycle.State // its own word; only its goroutine's

	// Guarded by the stage:
	rules   *profiles.Spec // spec, with what has changed live since
	born    time.Time
	ready   bool
	ordered time.Time // when it was first told to stop; zero: not
	budget  time.Duration
	hardest order     // it was told so far
	forced  bool      // force may come before the budget is spent
	ended   time.Time // nothing of it is left; zero: it lives
	held    bool      // SIGKILL was tried and reported to be of no use
}

// order is what a supervisor tells a generation, each harder than the last.
type order uint8

const (
	none order = iota
	ask
	signal
	kill
)

func (p *performer) Ask(time.Duration, string) { p.order(ask) }
func (p *performer) Signal(syscall.Signal)     { p.order(signal) }
func (p *performer) Kill()                     { p.order(kill) }
func (p *performer) Release()                  {}
func (p *performer) Update(s *profiles.Spec)   { p.mark(func() { p.rules = s }) }

// perform plays the generation from spawn to end.
func (p *performer) perform() {
	r := p.role
	p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawned, Pid: p.pid})
	p.rise(lifecycle.Configuration)
	var ready, end, sick, progress, freed, given <-chan time.Time
	if r.readyAfter >= 0 {
		ready = time.After(r.readyAfter)
	} else if r.progresses {
		progress = time.After(p.spec.LaunchTimeout / 2)
	}
	exit := lifecycle.Exit{Code: r.code}
	for over := false; !over; {
		select {
		case <-ready:
			ready = nil
			p.becomeReady()
			if r.lives > 0 {
				end = time.After(r.lives)
			}
			if r.sick > 0 {
				sick = time.After(r.sick)
			}
		case <-progress:
			p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvProgress})
			progress = time.After(p.spec.LaunchTimeout / 2)
		case <-sick:
			sick = nil
			p.sink.Health(supervisor.HealthBad, "feels sick")
		case <-given:
			p.giveUp()
		case <-end:
			over = true
		case <-freed:
			exit, over, r.leftover = lifecycle.Exit{Code: -1, Signal: "SIGKILL"}, true, 0
		case o := <-p.orders:
			switch {
			case o == kill && r.stuck > 0:
				if freed == nil {
					freed, given, end = time.After(r.stuck), time.After(patience), nil
				}
			case o == kill:
				exit, over, r.leftover = lifecycle.Exit{Code: -1, Signal: "SIGKILL"}, true, 0
			case o == ask && r.severed:
				p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvAskFailed, Detail: "its channel is severed"})
			case !r.deaf && freed == nil:
				ready, end = nil, time.After(r.slow)
				if exit = (lifecycle.Exit{Code: -1, Signal: "SIGTERM"}); o == ask {
					exit = lifecycle.Exit{Code: r.code}
					p.report(lifecycle.StopTimeWait)
				}
			}
		}
	}
	p.end(exit, r)
}

// patience is after how long force that did not help is reported.
const patience = 5 * time.Second

// rise walks a component's states up to one.
func (p *performer) rise(to lifecycle.State) {
	if !p.spec.CCP {
		return
	}
	for p.state < to {
		p.report(p.state + 1)
	}
}

func (p *performer) becomeReady() {
	p.mark(func() { p.ready = true })
	if !p.spec.CCP {
		p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvReady})
		return
	}
	p.rise(lifecycle.Execution)
	if p.role.rude {
		p.report(lifecycle.Connect)
	}
}

// report tells the component's own state: it is accepted if, and only if, the
// table allows it.
func (p *performer) report(next lifecycle.State) {
	if !p.spec.CCP || p.state == lifecycle.NoState && next != lifecycle.Launch {
		return
	}
	legal := p.state.MayReport(next)
	err := p.sink.Report(p.ctx, lifecycle.Event{Kind: lifecycle.EvReport, State: next, Pid: 1})
	switch {
	case errors.Is(err, supervisor.ErrStopped) || errors.Is(err, context.Canceled):
	case legal != (err == nil) || err != nil && !errors.Is(err, supervisor.ErrIllegalReport):
		p.s.broken(7, "%s: a report of %s from %s: %v", p.key, next, p.state, err)
	}
	if legal {
		p.state = next
	}
}

// giveUp reports that force does not help.
func (p *performer) giveUp() {
	p.mark(func() { p.held = true })
	p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvUnkillable, Detail: "pid 7 (state D)"})
}

// end is the leader's end, and then that of what it leaves behind: by itself,
// as nobody waits for it, or by force.
func (p *performer) end(exit lifecycle.Exit, r role) {
	if r.leaves && p.state == lifecycle.Execution {
		p.mark(p.retire)
		for _, state := range []lifecycle.State{lifecycle.StopTimeWait, lifecycle.StopExecution, lifecycle.StopCleanup} {
			p.report(state)
		}
	}
	p.mark(func() { p.s.exits[genOf{p.key, p.generation}] = exit })
	if r.leftover > 0 {
		p.mark(p.retire)
		p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit})
		gone := time.After(r.leftover)
		for waiting := true; waiting; {
			select {
			case <-gone:
				waiting = false
			case o := <-p.orders:
				waiting = o != kill
			}
		}
	}
	p.mark(p.bury)
	if r.leftover > 0 {
		p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvGone})
	} else {
		p.sink.Emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit, TreeEmpty: true})
	}
	p.echo()
	time.AfterFunc(r.lives%(20*time.Minute), p.echo)
}

// echo is what a dead generation still has to say, at once and when another
// lives: it changes nothing.
func (p *performer) echo() {
	for _, kind := range []lifecycle.EventKind{
		lifecycle.EvSpawned, lifecycle.EvReady, lifecycle.EvRefused, lifecycle.EvGone,
		lifecycle.EvUnkillable, lifecycle.EvExited, lifecycle.EvUnhealthy,
	} {
		p.sink.Emit(lifecycle.Event{Kind: kind, Detail: "an echo", Pid: p.pid, TreeEmpty: true})
	}
	p.sink.Health(supervisor.HealthBad, "an echo")
}
