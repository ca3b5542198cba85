package supervisor_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStartsAndStops(t *testing.T) {
	run(t, []*profiles.Spec{spec("a")}, nil, nil, func(w *world) {
		after(0)
		w.want("a", lifecycle.Running)
		w.act(lifecycle.EvStop, "a")
		after(0)
		v := w.want("a", lifecycle.Stopped)
		if v.Machine.LastExit == nil || v.Machine.LastExit.Signal != "SIGTERM" {
			t.Errorf("last exit %+v", v.Machine.LastExit)
		}
	})
}

func TestForceAfterStopWait(t *testing.T) {
	run(t, []*profiles.Spec{spec("a")}, nil, map[string]behaviour{"a": {deaf: true}}, func(w *world) {
		after(0)
		w.act(lifecycle.EvStop, "a")
		after(10*time.Second - 1)
		w.want("a", lifecycle.Stopping)
		after(1)
		if v := w.want("a", lifecycle.Stopped); v.Machine.LastExit.Signal != "SIGKILL" {
			t.Errorf("last exit %+v", v.Machine.LastExit)
		}
	})
}

func TestCrashBacksOff(t *testing.T) {
	run(t, []*profiles.Spec{spec("a")}, nil, map[string]behaviour{"a": {lives: time.Minute / 2}}, func(w *world) {
		after(30 * time.Second)
		w.want("a", lifecycle.Backoff)
		after(time.Second)
		if v := w.want("a", lifecycle.Running); v.Machine.Generation != 2 || v.Machine.Restarts != 1 {
			t.Errorf("generation %d, restarts %d", v.Machine.Generation, v.Machine.Restarts)
		}
	})
}

func TestSpawnFailureIsRetried(t *testing.T) {
	run(t, []*profiles.Spec{spec("a")}, nil, map[string]behaviour{"a": {noSpawn: 3}}, func(w *world) {
		after(0)
		w.want("a", lifecycle.Backoff)
		after(time.Minute)
		w.want("a", lifecycle.Running)
	})
}

func TestNothingStartsThatCannotBeRecorded(t *testing.T) {
	run(t, nil, nil, nil, func(w *world) {
		w.refuse = errors.New("disk full")
		w.apply(nil, []*profiles.Spec{spec("a")}, nil)
		after(0)
		if got := w.launched(); len(got) != 0 {
			t.Errorf("launched %v without a journal", got)
		}
		if v := w.want("a", lifecycle.Backoff); v.Fault == nil {
			t.Error("the view hides that the journal refuses")
		}
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		after(time.Minute)
		if v := w.want("a", lifecycle.Running); v.Fault != nil {
			t.Errorf("fault stays: %v", v.Fault)
		}
	})
}

func TestDependencyOrder(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("api", needs("db", "started")), spec("web", needs("api", "started"))}
	run(t, specs, nil, map[string]behaviour{"db": {startAfter: time.Second}, "api": {startAfter: time.Second}}, func(w *world) {
		after(0)
		if v := w.want("api", lifecycle.Waiting); v.Machine.Reason == "" {
			t.Error("waiting has no reason")
		}
		after(2 * time.Second)
		w.want("web", lifecycle.Running)
		if got := w.launched(); !slices.Equal(got, []string{"db", "api", "web"}) {
			t.Errorf("started in order %v", got)
		}
		w.act(lifecycle.EvStop, "db", "api", "web")
		after(0)
		if got := w.ended(); !slices.Equal(got, []string{"web", "api", "db"}) {
			t.Errorf("stopped in order %v", got)
		}
	})
}

func TestHardLinkTakesDependentDownAndBack(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("api", needs("db", "started"))}
	run(t, specs, nil, map[string]behaviour{"db": {lives: time.Hour}}, func(w *world) {
		after(time.Hour)
		w.want("db", lifecycle.Backoff)
		w.want("api", lifecycle.Waiting)
		after(time.Second)
		w.want("db", lifecycle.Running)
		w.want("api", lifecycle.Running)
	})
}

func TestSoftLinkLeavesDependentAlone(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("api", softly("db"))}
	run(t, specs, nil, map[string]behaviour{"db": {lives: time.Hour}}, func(w *world) {
		after(time.Hour)
		w.want("db", lifecycle.Backoff)
		if v := w.want("api", lifecycle.Running); v.Machine.Generation != 1 {
			t.Errorf("api is in generation %d", v.Machine.Generation)
		}
	})
}

func TestStopOfDependencyStopsDependentFirst(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("api", needs("db", "started"))}
	run(t, specs, nil, map[string]behaviour{"api": {stopAfter: 2 * time.Second}}, func(w *world) {
		after(0)
		w.act(lifecycle.EvStop, "db")
		after(time.Second)
		w.want("api", lifecycle.Stopping)
		w.want("db", lifecycle.Running)
		after(time.Second)
		w.want("api", lifecycle.Waiting)
		w.want("db", lifecycle.Stopped)
		w.act(lifecycle.EvStart, "api")
		after(0)
		w.want("db", lifecycle.Running)
		w.want("api", lifecycle.Running)
	})
}

func TestRestartOfDependencyCyclesDependent(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("api", needs("db", "started"))}
	run(t, specs, nil, nil, func(w *world) {
		after(0)
		w.act(lifecycle.EvRestart, "db", "api")
		after(0)
		if v := w.want("db", lifecycle.Running); v.Machine.Generation != 2 {
			t.Errorf("db is in generation %d", v.Machine.Generation)
		}
		w.want("api", lifecycle.Running)
		if got := w.launched(); !slices.Equal(got, []string{"db", "api", "db", "api"}) {
			t.Errorf("launched %v", got)
		}
	})
}

func TestCompletedOrSkipped(t *testing.T) {
	for name, c := range map[string]struct {
		exit int
		want lifecycle.Status
	}{"succeeds": {0, lifecycle.Running}, "fails": {1, lifecycle.Waiting}} {
		t.Run(name, func(t *testing.T) {
			task := spec("migrate", func(s *profiles.Spec) {
				s.OneShot = true
				s.Restart.Mode = lifecycle.Never
			})
			specs := []*profiles.Spec{task, spec("api", needs("migrate", "completed"))}
			b := map[string]behaviour{"migrate": {lives: time.Second, exit: lifecycle.Exit{Code: c.exit}}}
			run(t, specs, nil, b, func(w *world) {
				after(time.Minute)
				w.want("api", c.want)
			})
		})
	}
}

func TestStopWhileWaitingIsAtOnce(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("api", needs("db", "started"))}
	run(t, specs, nil, map[string]behaviour{"db": {startAfter: 20 * time.Second}}, func(w *world) {
		after(0)
		w.act(lifecycle.EvRestart, "api")
		w.act(lifecycle.EvRestart, "api")
		after(0)
		w.want("api", lifecycle.Waiting)
		w.act(lifecycle.EvStop, "api")
		after(0)
		w.want("api", lifecycle.Stopped)
		after(time.Minute)
		if got := w.launched(); !slices.Equal(got, []string{"db"}) {
			t.Errorf("launched %v", got)
		}
	})
}

func TestLaunchOrder(t *testing.T) {
	order := func(n int) func(*profiles.Spec) { return func(s *profiles.Spec) { s.LaunchOrder = n } }
	specs := []*profiles.Spec{spec("free"), spec("one", order(1)), spec("two", order(2)), spec("also", order(2))}
	b := map[string]behaviour{"free": {startAfter: time.Second}, "one": {startAfter: time.Second}}
	run(t, specs, nil, b, func(w *world) {
		after(0)
		if got := w.launched(); !slices.Equal(got, []string{"free"}) {
			t.Errorf("launched %v", got)
		}
		after(time.Second)
		w.want("two", lifecycle.Waiting)
		after(time.Second)
		w.want("two", lifecycle.Running)
		w.want("also", lifecycle.Running)
	})
}

func TestManyRestartsAreOne(t *testing.T) {
	run(t, []*profiles.Spec{spec("a")}, nil, map[string]behaviour{"a": {stopAfter: time.Second}}, func(w *world) {
		after(0)
		for range 50 {
			w.act(lifecycle.EvRestart, "a")
		}
		after(time.Minute)
		w.want("a", lifecycle.Running)
		if got := w.launched(); len(got) != 2 {
			t.Errorf("launched %d times", len(got))
		}
	})
}

func TestChangedDefinitionStopsByTheOldRules(t *testing.T) {
	old := spec("a", func(s *profiles.Spec) { s.StopWait = 2 * time.Second })
	changed := spec("a", func(s *profiles.Spec) { s.Hash = "changed"; s.StopWait = time.Hour })
	run(t, []*profiles.Spec{old}, nil, map[string]behaviour{"a": {deaf: true}}, func(w *world) {
		after(0)
		w.apply([]*profiles.Spec{old}, []*profiles.Spec{changed}, nil)
		after(2 * time.Second)
		if v := w.want("a", lifecycle.Running); v.Machine.Generation != 2 || v.Spec != changed {
			t.Errorf("generation %d, changed %v", v.Machine.Generation, v.Spec == changed)
		}
	})
}

func TestRemovedIsStoppedAndForgotten(t *testing.T) {
	a, b := spec("a"), spec("b")
	run(t, []*profiles.Spec{a, b}, nil, map[string]behaviour{"a": {stopAfter: time.Second}}, func(w *world) {
		after(0)
		w.apply([]*profiles.Spec{a, b}, []*profiles.Spec{b}, nil)
		after(0)
		w.want("a", lifecycle.Stopping)
		after(time.Second)
		if _, ok := w.sup.View(key("a")); ok {
			t.Error("a is still in the plan")
		}
		if v := w.want("b", lifecycle.Running); v.Machine.Generation != 1 {
			t.Error("b was touched")
		}
	})
}

func TestDisabledStopsAndStaysKnown(t *testing.T) {
	on := spec("a")
	off := spec("a", func(s *profiles.Spec) { s.Enabled = false })
	run(t, []*profiles.Spec{on}, nil, nil, func(w *world) {
		after(0)
		change := func(c profiles.Change) {
			plan := &profiles.Plan{Specs: []*profiles.Spec{c.New}}
			if err := w.sup.Apply(w.t.Context(), plan, []profiles.Change{c}, nil, "test"); err != nil {
				t.Fatal(err)
			}
			after(0)
		}
		change(profiles.Change{Kind: profiles.ChangeStop, Old: on, New: off})
		w.want("a", lifecycle.Stopped)
		change(profiles.Change{Kind: profiles.ChangeStart, Old: off, New: on})
		if v := w.want("a", lifecycle.Running); v.Machine.Generation != 2 {
			t.Errorf("generation %d", v.Machine.Generation)
		}
	})
}

func TestNothingStartsDuringADrain(t *testing.T) {
	specs := []*profiles.Spec{spec("slow"), spec("quick")}
	run(t, specs, nil, map[string]behaviour{"slow": {stopAfter: 5 * time.Second}}, func(w *world) {
		after(0)
		drained := make(chan error, 1)
		go func() { drained <- w.sup.Drain(w.t.Context(), lifecycle.CauseReload, "test") }()
		after(time.Second)
		w.want("quick", lifecycle.Stopped)
		for _, kind := range []lifecycle.EventKind{lifecycle.EvStart, lifecycle.EvRestart} {
			if err := w.sup.Act(w.t.Context(), kind, lifecycle.CauseCommand, "test", key("quick")); !errors.Is(err, supervisor.ErrDraining) {
				t.Errorf("%v while all is stopped: %v", kind, err)
			}
		}
		err := w.sup.Apply(w.t.Context(), &profiles.Plan{Specs: append(specs, spec("late"))}, []profiles.Change{{Kind: profiles.ChangeStart, New: spec("late")}}, nil, "test")
		if !errors.Is(err, supervisor.ErrDraining) {
			t.Errorf("a plan while all is stopped: %v", err)
		}
		select {
		case <-drained:
			t.Error("drained while one lives")
		default:
		}
		after(5 * time.Second)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		w.want("slow", lifecycle.Stopped)
		w.want("quick", lifecycle.Stopped)
	})
}

// A start and a stop that follow one another at once leave nothing behind,
// though the instance looks at rest all the while.
func TestDrainHearsAStartOnItsWay(t *testing.T) {
	run(t, []*profiles.Spec{spec("a")}, nil, map[string]behaviour{"a": {stopAfter: time.Second}}, func(w *world) {
		after(0)
		w.act(lifecycle.EvStop, "a")
		after(2 * time.Second)
		w.act(lifecycle.EvStart, "a")
		if err := w.sup.Drain(w.t.Context(), lifecycle.CauseReload, "test"); err != nil {
			t.Fatal(err)
		}
		w.want("a", lifecycle.Stopped)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.alive) != 0 {
			t.Errorf("%d live on", len(w.alive))
		}
	})
}

// An unkillable process does not keep the peer from ending.
func TestDrainDoesNotWaitForTheUnkillable(t *testing.T) {
	run(t, []*profiles.Spec{spec("a")}, nil, map[string]behaviour{"a": {stopAfter: time.Hour}}, func(w *world) {
		after(0)
		w.mu.Lock()
		f := w.alive[key("a")]
		w.mu.Unlock()
		time.AfterFunc(11*time.Second, func() {
			f.sink.Emit(lifecycle.Event{Kind: lifecycle.EvUnkillable, Detail: "pid 1 (state D)"})
		})
		f.immortal.Store(true)
		if err := w.sup.Drain(w.t.Context(), lifecycle.CauseReload, "test"); err != nil {
			t.Fatal(err)
		}
		w.want("a", lifecycle.Stopping)
		f.immortal.Store(false)
	})
}

// What is switched on by a reload and runs by a schedule waits for its time.
func TestEnablingATimedInstanceDoesNotRunIt(t *testing.T) {
	off := spec("a", func(s *profiles.Spec) { s.Enabled, s.Schedule = false, "0 0 1 1 *" })
	on := spec("a", func(s *profiles.Spec) { s.Schedule = off.Schedule })
	run(t, []*profiles.Spec{off}, nil, nil, func(w *world) {
		after(0)
		plan := &profiles.Plan{Specs: []*profiles.Spec{on}}
		if err := w.sup.Apply(w.t.Context(), plan, []profiles.Change{{Kind: profiles.ChangeStart, Old: off, New: on}}, nil, "test"); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		w.want("a", lifecycle.Stopped)
	})
}

func TestWhatLeavesThePlanGoesDownInReverseOrder(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("api", needs("db", "started"))}
	run(t, specs, nil, map[string]behaviour{"api": {stopAfter: time.Second}}, func(w *world) {
		after(0)
		w.apply(specs, nil, nil)
		after(time.Minute)
		if got := w.ended(); !slices.Equal(got, []string{"api", "db"}) {
			t.Errorf("stopped in order %v", got)
		}
	})
}
