package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// world is a launcher without processes, and everything around a supervisor
// under test. It runs inside a synctest bubble.
type world struct {
	t   *testing.T
	sup *supervisor.Supervisor

	mu       sync.Mutex
	behave   map[string]behaviour // by instance name
	alive    map[supervisor.Key]*fake
	launches []string // names in the order of launch
	downs    []string // names in the order of their end
	records  []supervisor.Entry
	refuse   error // what the journal says
	permits  map[string]supervisor.Permit
}

// behaviour of a fake component; the zero value starts at once and stops when
// told.
type behaviour struct {
	startAfter time.Duration // until it is ready
	lives      time.Duration // then it ends by itself; 0: for ever
	exit       lifecycle.Exit
	stopAfter  time.Duration // from the stop signal to the end
	deaf       bool          // ignores the stop signal
	noSpawn    int           // this many launches fail
}

type fake struct {
	w      *world
	key    supervisor.Key
	b      behaviour
	sink   supervisor.Sink
	signal chan syscall.Signal
	// immortal: nothing ends it, force neither.
	immortal atomic.Bool
}

func (w *world) Launch(_ context.Context, spec *profiles.Spec, _ uint64, sink supervisor.Sink) supervisor.Handle {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := supervisor.KeyOf(spec)
	b := w.behave[spec.Name]
	if b.noSpawn > 0 {
		b.noSpawn--
		w.behave[spec.Name] = b
		sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawnFailed, Detail: "no such file"})
		return &fake{w: w, key: k}
	}
	if w.alive[k] != nil {
		w.t.Errorf("%s is launched while it lives", k)
	}
	f := &fake{w: w, key: k, b: b, sink: sink, signal: make(chan syscall.Signal, 16)}
	w.alive[k] = f
	w.launches = append(w.launches, spec.Name)
	sink.Emit(lifecycle.Event{Kind: lifecycle.EvSpawned, Pid: len(w.launches)})
	go f.live()
	return f
}

// live plays the component until its end.
func (f *fake) live() {
	exit := f.b.exit
	ready, end := time.After(f.b.startAfter), (<-chan time.Time)(nil)
	for {
		select {
		case <-ready:
			f.emit(lifecycle.Event{Kind: lifecycle.EvReady})
			if f.b.lives > 0 {
				end = time.After(f.b.lives)
			}
			continue
		case <-end:
		case sig := <-f.signal:
			if f.immortal.Load() || sig != syscall.SIGKILL && f.b.deaf {
				continue
			}
			if sig != syscall.SIGKILL && f.b.stopAfter > 0 {
				f.b.deaf = true // it is on its way
				end = time.After(f.b.stopAfter)
				continue
			}
			exit = lifecycle.Exit{Code: -1, Signal: "SIGTERM"}
			if sig == syscall.SIGKILL {
				exit.Signal = "SIGKILL"
			}
		}
		break
	}
	f.w.mu.Lock()
	delete(f.w.alive, f.key)
	f.w.downs = append(f.w.downs, f.key.Name)
	f.w.mu.Unlock()
	f.emit(lifecycle.Event{Kind: lifecycle.EvExited, Exit: exit, TreeEmpty: true})
}

// emit tells whoever holds the fake now.
func (f *fake) emit(e lifecycle.Event) {
	f.w.mu.Lock()
	sink := f.sink
	f.w.mu.Unlock()
	sink.Emit(e)
}

// Identity implements supervisor.Identifier.
func (f *fake) Identity() []byte { return []byte(f.key.Name) }

// Reattach implements supervisor.Reattacher: the fake goes on, and tells the
// new supervisor.
func (w *world) Reattach(_ context.Context, spec *profiles.Spec, a supervisor.Adoption, sink supervisor.Sink) supervisor.Handle {
	if v, ok := w.sup.View(supervisor.KeyOf(spec)); ok && v.Handle() == nil {
		w.t.Errorf("%s is shown as %s, and out of reach", spec.Name, v.Machine.Status)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.alive[supervisor.KeyOf(spec)]
	if f == nil || string(a.Live) != spec.Name || !a.Handed {
		w.t.Errorf("%s is taken up as %+v and does not live", spec.Name, a)
		return &fake{w: w}
	}
	f.sink = sink
	return f
}

func (f *fake) Ask(time.Duration, string) {}
func (f *fake) Signal(s syscall.Signal)   { f.send(s) }
func (f *fake) Kill()                     { f.send(syscall.SIGKILL) }
func (f *fake) Release()                  {}

func (f *fake) send(s syscall.Signal) {
	if f.signal != nil {
		select {
		case f.signal <- s:
		default:
		}
	}
}

func (w *world) record(es []supervisor.Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return w.refuse
	}
	w.records = append(w.records, es...)
	return nil
}

// refusing sets what the journal says.
func (w *world) refusing(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = err
}

// run plays a test inside a bubble with a running supervisor.
func run(t *testing.T, specs []*profiles.Spec, groups map[string]profiles.Group, behave map[string]behaviour, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if behave == nil {
			behave = map[string]behaviour{}
		}
		w := &world{t: t, behave: behave, alive: map[supervisor.Key]*fake{}}
		w.sup = supervisor.New(supervisor.Options{Launcher: w, Record: w.record, Permit: w.permit})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.sup.Run(ctx) }()
		w.apply(nil, specs, groups)
		test(w)
		w.endAll()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		w.checkHistories()
	})
}

// endAll lets every fake process end, so that the bubble can.
func (w *world) endAll() {
	for _, v := range w.sup.Views() {
		_ = w.sup.Act(w.t.Context(), lifecycle.EvKill, lifecycle.CauseCommand, "test", v.Key)
	}
	synctest.Wait()
}

func (w *world) apply(old, specs []*profiles.Spec, groups map[string]profiles.Group) {
	w.t.Helper()
	changes := []profiles.Change{}
	for _, o := range old {
		if !slices.ContainsFunc(specs, func(s *profiles.Spec) bool { return s.Name == o.Name }) {
			changes = append(changes, profiles.Change{Kind: profiles.ChangeStop, Old: o})
		}
	}
	for _, s := range specs {
		i := slices.IndexFunc(old, func(o *profiles.Spec) bool { return s.Name == o.Name })
		switch {
		case i < 0:
			changes = append(changes, profiles.Change{Kind: profiles.ChangeStart, New: s})
		case old[i].Hash != s.Hash:
			changes = append(changes, profiles.Change{Kind: profiles.ChangeRestart, Old: old[i], New: s})
		}
	}
	plan := &profiles.Plan{Specs: specs, Groups: groups}
	if err := w.sup.Apply(w.t.Context(), plan, changes, nil, "test"); err != nil {
		w.t.Fatal(err)
	}
}

// checkHistories: what was recorded of each instance is a path of the machine.
func (w *world) checkHistories() {
	paths := map[supervisor.Key][]lifecycle.Transition{}
	for _, e := range w.records {
		paths[e.Key] = append(paths[e.Key], e.Transition)
	}
	for k, path := range paths {
		if err := lifecycle.CheckPath(path); err != nil {
			w.t.Errorf("history of %s: %v", k, err)
		}
	}
}

func (w *world) act(kind lifecycle.EventKind, names ...string) {
	w.t.Helper()
	keys := make([]supervisor.Key, len(names))
	for i, n := range names {
		keys[i] = key(n)
	}
	if err := w.sup.Act(w.t.Context(), kind, lifecycle.CauseCommand, "test", keys...); err != nil {
		w.t.Fatal(err)
	}
}

// after lets virtual time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) want(name string, status lifecycle.Status) *supervisor.View {
	w.t.Helper()
	v, ok := w.sup.View(key(name))
	if !ok {
		w.t.Fatalf("%s is not in the plan", name)
	}
	if v.Machine.Status != status {
		w.t.Errorf("%s is %s (%s), want %s", name, v.Machine.Status, v.Machine.Reason, status)
	}
	return v
}

func (w *world) launched() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.launches)
}

func (w *world) ended() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.downs)
}

func key(name string) supervisor.Key { return supervisor.Key{Application: "app", Name: name} }

// spec makes a plain process that restarts after a second.
func spec(name string, change ...func(*profiles.Spec)) *profiles.Spec {
	s := &profiles.Spec{
		Application: profiles.Application{GUID: "app", Version: "1.0"}, Component: name, Name: name,
		Instance: 1, Replicas: 1, Hash: name, Enabled: true, LaunchMode: "separateProcess",
		LaunchTimeout: 30 * time.Second, StopWait: 10 * time.Second, StopSignal: syscall.SIGTERM,
		Restart: lifecycle.RestartPolicy{Delay: time.Second, Factor: 2, MaxDelay: time.Minute, ResetAfter: time.Minute},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func needs(on, condition string) func(*profiles.Spec) {
	return func(s *profiles.Spec) {
		s.DependsOn = append(s.DependsOn, profiles.Dependency{On: on, Condition: condition})
	}
}

func softly(on string) func(*profiles.Spec) {
	return func(s *profiles.Spec) {
		s.DependsOn = append(s.DependsOn, profiles.Dependency{On: on, Condition: "started", Soft: true})
	}
}

func inGroup(g string) func(*profiles.Spec) { return func(s *profiles.Spec) { s.Group = g } }
