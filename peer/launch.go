package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/notify"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// launcher starts generations: it is the supervisor's way to processes,
// captured output, probes and the component's channel.
type launcher struct {
	door    *process.Door // for hooks
	holder  holder
	log     hclog.Logger
	program string        // the file that is a stand-in
	run     string        // folder of the private folders, one for each generation
	logs    string        // folder of captured output
	slots   chan struct{} // starts at one time
	levels  *levelStore
	lease   func(*profiles.Spec) time.Duration // how long it may go on without a peer; 0: for ever
	tag     string                             // tells this peer apart from the others on the host
	work    sync.WaitGroup                     // everything that any generation has under way
	steps   gate                               // what of it must not be cut off in its middle
	facts   map[string]fact                    // of generations that were handed over, by key
	left    map[string]*os.File                // the notify sockets among what was handed over, by name
	lost    atomic.Int64                       // bytes of output that could not be stored, of generations that are over
}

// Launch implements supervisor.Launcher.
func (l *launcher) Launch(ctx context.Context, spec *profiles.Spec, gen uint64, sink supervisor.Sink) supervisor.Handle {
	g := l.generation(ctx, spec, gen, sink)
	l.work.Go(g.live)
	return g
}

func (l *launcher) generation(ctx context.Context, spec *profiles.Spec, gen uint64, sink supervisor.Sink) *generation {
	ctx, cancel := context.WithCancel(ctx)
	alive, dead := context.WithCancel(ctx)
	return &generation{
		l: l, spec: spec, number: gen, sink: sink,
		log: l.log.With("component", spec.Name, "application", spec.Application.GUID, "generation", gen),
		ctx: ctx, cancel: cancel, alive: alive, dead: dead, background: make(chan struct{}),
		leveled: spec.Loggers,
	}
}

// generation is one launched life of an instance; it implements
// supervisor.Handle and the optional powers beside it.
type generation struct {
	l       *launcher
	spec    *profiles.Spec
	number  uint64
	resumed bool // spawned by an earlier peer
	sink    supervisor.Sink
	log     hclog.Logger
	ctx     context.Context // ends when nobody wants this generation any more
	cancel  context.CancelFunc
	alive   context.Context // ends, by dead, when force is used or the leader has ended
	dead    context.CancelFunc
	health  monitor
	preStop sync.Once
	up      sync.Once // for what follows a start
	joining sync.Once // closes joined

	isReady    atomic.Bool   // a plain process passed its readiness
	saidReady  atomic.Bool   // it was shown to be ready, at least; nobody may have heard yet
	stopTold   atomic.Bool   // the preStop hook has had its turn
	background chan struct{} // closed when a program that forks has done so
	found      chan struct{} // of one that was taken up: closed when its process is known, or is not there; nil: it was launched
	joined     chan struct{} // of one that was taken up: closed when its channel has been tried; nil: it was launched

	releveling sync.Mutex        // guards the following field
	leveled    map[string]string // levels that the component has from its definition

	latest     atomic.Pointer[profiles.Spec] // of live changes; nil: none yet
	relimiting sync.Mutex                    // one change of the limits at a time, the latest last

	socket        *os.File     // of sd_notify, from the program before; nil: there is none
	watchdogEvery atomic.Int64 // nanoseconds between two signs of life that it promised; 0: it did not

	mu        sync.Mutex     // guards all following fields
	notify    *notify.Socket // nil where it is not used
	proc      *keeper.Process
	output    *keeper.Capture
	spawnedAt time.Time
	link      *link
	unforced  string    // why the limits in force are not those wanted; "": they are
	complaint string    // of the component, its last
	says      string    // by sd_notify, of itself
	reloading bool      // it said so, and not yet that it is ready again
	stopBegan time.Time // when its stop began; zero before
	unwanted  error     // why it must not be spawned any more
	missed    func()    // the last order to stop for which there was no process yet
	slot      bool      // a place among the starting ones is held
}

// currentLink is the channel to the component, nil before it is open.
func (g *generation) currentLink() *link {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.link
}

// errUnwanted ends a launch that was called off before it spawned.
var errUnwanted = errors.New("stopped before it was spawned")

// live is the generation from spawn to the end of its tree.
func (g *generation) live() {
	dir, err := g.prepare()
	if err != nil {
		g.fail(err)
		return
	}
	ready, proc, err := g.bear(dir)
	if err != nil {
		g.tidy(dir)
		g.fail(err)
		return
	}
	defer ready.close()
	g.follow(proc, ready, func(ctx context.Context) { g.begin(ctx, ready, dir) })
}

// bear makes the process, and tells of it. What has come so far is told, or has
// not begun, when the peer is handed over.
func (g *generation) bear(dir string) (*readiness, *keeper.Process, error) {
	const step = "a spawn"
	if err := g.l.steps.enter(g.ctx, step); err != nil {
		return nil, nil, err
	}
	defer g.l.steps.leave(step)
	ready, err := newReadiness(g, dir)
	if err != nil {
		return nil, nil, err
	}
	proc, err := g.spawn(ready, dir)
	if err != nil {
		ready.close()
		return nil, nil, err
	}
	g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawned, Pid: proc.Identity().Pid})
	return ready, proc, nil
}

// follow is the life of a spawned process: begin brings it up, until its end.
func (g *generation) follow(proc *keeper.Process, ready *readiness, begin func(context.Context)) {
	ctx, stop := context.WithCancel(g.ctx)
	var starting sync.WaitGroup
	starting.Go(func() { ready.listen(ctx) })
	starting.Go(func() { begin(ctx) })
	g.end(proc, func() {
		defer stop()
		if !g.spec.CCP {
			stop()
		}
		hurry := time.AfterFunc(lastWords, stop)
		defer hurry.Stop()
		starting.Wait()
	})
}

// lastWords is how long the first line of a component that has ended is waited
// for: it may say why.
const lastWords = 250 * time.Millisecond

// fail reports that nothing was spawned.
func (g *generation) fail(err error) {
	g.yieldSlot()
	var permanent *permanentError
	g.sink.Emit(lifecycle.Event{
		Kind: lifecycle.EvSpawnFailed, Detail: err.Error(), Permanent: errors.As(err, &permanent),
	})
}

// permanentError is a reason not to try again.
type permanentError struct{ error }

// prepare waits for a place among the starting ones and makes the private
// folder.
func (g *generation) prepare() (string, error) {
	select {
	case g.l.slots <- struct{}{}:
	case <-g.alive.Done():
		return "", errUnwanted
	}
	g.mu.Lock()
	g.slot = true
	g.mu.Unlock()
	dir := g.l.folder(g.spec, g.number)
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return "", fmt.Errorf("cannot make the private folder: %w", err)
	}
	if u := g.spec.User; u != "" {
		if err := g.handOver(dir); err != nil {
			_ = os.RemoveAll(dir)
			return "", fmt.Errorf("cannot give the private folder to user %q: %w", u, err)
		}
	}
	return dir, nil
}

// yieldSlot lets the next instance start.
func (g *generation) yieldSlot() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.slot {
		g.slot = false
		<-g.l.slots
	}
}

// spawn starts the process with its output captured.
func (g *generation) spawn(ready *readiness, dir string) (*keeper.Process, error) {
	if err := descriptorGate(g.spec); err != nil {
		return nil, &permanentError{err}
	}
	if err := g.launchGate(); err != nil {
		return nil, &permanentError{err}
	}
	ps, err := g.processSpec(ready, dir)
	if err != nil {
		return nil, err
	}
	if cannot := g.l.door.Unsupported(ps); len(cannot) > 0 {
		return nil, &permanentError{fmt.Errorf("this host cannot enforce what the profile asks: %s", join(cannot))}
	}
	out, err := g.l.holder.Capture(g.alive, g.l.key(g.spec, g.number), g.l.output(g.spec, dir))
	if err != nil {
		return nil, fmt.Errorf("cannot capture the output: %w", err)
	}
	if ready.notify != nil {
		g.shareNotify(ready.notify, func(f *os.File) error { return out.ShareNotify(g.ctx, f) })
	}
	g.mu.Lock()
	g.output = out
	g.mu.Unlock()
	err = g.beforeStart()
	if err == nil {
		err = g.calledOff()
	}
	var proc *keeper.Process
	if err == nil {
		// From here on it is known only in the end whether there is a process.
		proc, err = out.Spawn(context.WithoutCancel(g.ctx), ps)
	}
	if err != nil {
		return nil, errors.Join(err, out.Forget())
	}
	g.own(proc)
	return proc, nil
}

func (g *generation) calledOff() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unwanted
}

// own takes a spawned process. One that was called off meanwhile is ended.
func (g *generation) own(proc *keeper.Process) {
	g.mu.Lock()
	g.proc, g.spawnedAt = proc, time.Now()
	unwanted := g.unwanted
	g.mu.Unlock()
	if unwanted != nil {
		g.Kill()
	}
	if g.latest.Load() != nil { // changed while it was being spawned
		g.l.work.Go(g.relimit)
	}
}

// beforeStart runs the preStart hook, within the time that a launch may take.
func (g *generation) beforeStart() error {
	ctx, cancel := context.WithTimeout(g.alive, g.spec.LaunchTimeout)
	defer cancel()
	return g.runHook(ctx, "preStart", g.spec.Hooks.PreStart)
}

// end waits for the leader, then for its tree, and tells both. stopStart ends
// what still tries to bring the component up. A process that is let go lives on.
func (g *generation) end(proc *keeper.Process, stopStart func()) {
	defer proc.Release()
	if heir := g.heir(proc); heir != nil {
		g.end(heir, stopStart)
		return
	}
	letGo := false
	select {
	case <-proc.Exited():
	case <-g.ctx.Done():
		letGo = true
	}
	g.dead()
	g.health.stop()
	stopStart()
	g.yieldSlot()
	g.closeLink()
	if letGo {
		return
	}
	x := proc.Exit()
	exit := lifecycle.Exit{Code: x.Code, Signal: x.Signal, Reason: x.Reason}
	if exit.Code > 0 {
		exit.Reason = g.lastComplaint()
	}
	left := proc.Members()
	if len(left) > 0 {
		g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit})
		select {
		case <-proc.Empty():
		case <-g.ctx.Done():
			return
		}
	}
	g.close(exit, len(left) > 0)
}

// close ends a generation of which nothing lives any more, unless the next peer
// has to do so.
func (g *generation) close(exit lifecycle.Exit, told bool) {
	const step = "an end"
	if g.l.steps.enter(g.ctx, step) != nil {
		return
	}
	defer g.l.steps.leave(step)
	g.afterwards()
	if err := g.output.Drain(); err != nil {
		g.log.Warn("cannot store the last output", "error", err)
	}
	if loss := g.output.Loss(); loss != nil {
		g.l.lost.Add(loss.Bytes)
	}
	if told {
		g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvGone})
		return
	}
	g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit, TreeEmpty: true})
}

// lastComplaint is the last ERROR that the component reported: why it failed,
// in its own words.
func (g *generation) lastComplaint() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.complaint
}

func (g *generation) tidy(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		g.log.Warn("cannot remove the private folder", "folder", dir, "error", err)
	}
}
