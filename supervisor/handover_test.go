package supervisor_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// succeed puts another supervisor in the place of the one that runs, as a peer
// does that becomes another program, and returns the end of the first.
func (w *world) succeed(ctx context.Context, specs []*profiles.Spec, groups map[string]profiles.Group) {
	w.t.Helper()
	if err := w.sup.Settle(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	h, err := w.sup.Freeze(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.sup.Act(w.t.Context(), lifecycle.EvKill, lifecycle.CauseCommand, "test", key("runs")); !errors.Is(err, supervisor.ErrStopped) {
		w.t.Errorf("a frozen supervisor says %v", err)
	}
	raw, err := json.Marshal(h)
	if err != nil {
		w.t.Fatal(err)
	}
	var handed supervisor.Handover
	if err := json.Unmarshal(raw, &handed); err != nil {
		w.t.Fatal(err)
	}
	w.sup = supervisor.New(supervisor.Options{Launcher: w, Record: w.record, Permit: w.permit, Groups: handed.Groups})
	go func() { _ = w.sup.Run(ctx) }()
	restore := map[supervisor.Key]supervisor.Restored{}
	for i, snap := range handed.Instances {
		restore[snap.Key()] = supervisor.Restored{Generation: snap.Machine.Generation, Live: snap.Live, Handed: &handed.Instances[i]}
	}
	changes := make([]profiles.Change, len(specs))
	for i, s := range specs {
		changes[i] = profiles.Change{Kind: profiles.ChangeStart, New: s}
	}
	plan := &profiles.Plan{Specs: specs, Groups: groups}
	if err := w.sup.Apply(w.t.Context(), plan, changes, restore, "test"); err != nil {
		w.t.Fatal(err)
	}
	after(0)
}

// What was handed over goes on as if nothing had happened: nobody is started
// or stopped, what waits goes on waiting for the rest of its time.
func TestHandover(t *testing.T) {
	never := func(s *profiles.Spec) { s.Restart.Mode = lifecycle.Never }
	rests := func(s *profiles.Spec) { s.Restart.Delay = time.Minute }
	specs := []*profiles.Spec{
		spec("runs"), spec("rests", rests), spec("failed", never), spec("done", never), spec("down"),
		spec("stops"), spec("starts"), spec("waits", needs("starts", "started")),
	}
	run(t, specs, nil, map[string]behaviour{
		"rests": {lives: time.Second, exit: lifecycle.Exit{Code: 3}}, "failed": {lives: time.Second, exit: lifecycle.Exit{Code: 4}},
		"done": {lives: time.Second}, "stops": {deaf: true}, "starts": {startAfter: 25 * time.Second},
	}, func(w *world) {
		after(2 * time.Second)
		w.act(lifecycle.EvStop, "down", "stops")
		after(4 * time.Second)
		launched, recorded := w.launched(), w.recorded()
		ctx, cancel := context.WithCancel(w.t.Context())
		defer cancel()
		for range 3 {
			w.succeed(ctx, specs, nil)
		}
		if got := w.launched(); !slices.Equal(got, launched) || w.recorded() != recorded {
			w.t.Fatalf("launched %v, then %v; %d records became %d", launched, got, recorded, w.recorded())
		}
		w.want("runs", lifecycle.Running)
		w.want("done", lifecycle.Completed)
		w.want("down", lifecycle.Stopped)
		w.want("stops", lifecycle.Stopping)
		w.want("starts", lifecycle.Starting)
		w.want("waits", lifecycle.Waiting)
		if v := w.want("failed", lifecycle.Failed); v.Machine.LastExit.Code != 4 || v.Machine.Reason == "" {
			w.t.Errorf("failed: %+v", v.Machine)
		}
		w.want("rests", lifecycle.Backoff)
		after(7 * time.Second) // 13 s in all, 11 s after the stop
		if v := w.want("stops", lifecycle.Stopped); v.Machine.LastExit.Signal != "SIGKILL" {
			w.t.Errorf("stops ended with %+v", v.Machine.LastExit)
		}
		after(13 * time.Second)
		w.want("starts", lifecycle.Running)
		w.want("waits", lifecycle.Running)
		w.want("rests", lifecycle.Backoff)
		after(40 * time.Second) // 66 s in all
		if v := w.want("rests", lifecycle.Backoff); v.Machine.Generation != 2 || v.Machine.Restarts != 1 {
			w.t.Errorf("rests: %+v", v.Machine)
		}
		w.endAll()
	})
}

// What was about to get its process gets it from the next supervisor, once.
func TestHandoverOfALaunch(t *testing.T) {
	specs := []*profiles.Spec{spec("a")}
	run(t, specs, nil, map[string]behaviour{"a": {startAfter: time.Hour}}, func(w *world) {
		after(0)
		h, err := w.sup.Freeze(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		saved := h.Instances[0]
		saved.Machine.StartedAt, saved.Machine.Pid, saved.Live = time.Time{}, 0, nil
		w.mu.Lock()
		old := w.alive[key("a")]
		delete(w.alive, key("a"))
		w.mu.Unlock()
		ctx, cancel := context.WithCancel(w.t.Context())
		defer cancel()
		w.sup = supervisor.New(supervisor.Options{Launcher: w, Record: w.record, Permit: w.permit})
		go func() { _ = w.sup.Run(ctx) }()
		restore := map[supervisor.Key]supervisor.Restored{key("a"): {Generation: 1, Handed: &saved}}
		changes := []profiles.Change{{Kind: profiles.ChangeStart, New: specs[0]}}
		if err := w.sup.Apply(w.t.Context(), &profiles.Plan{Specs: specs}, changes, restore, "test"); err != nil {
			w.t.Fatal(err)
		}
		after(0)
		if v := w.want("a", lifecycle.Starting); v.Machine.Generation != 1 || len(w.launched()) != 2 {
			w.t.Errorf("%+v, launched %v", v.Machine, w.launched())
		}
		w.endAll()
		old.Kill()
		after(0)
	})
}

// A stop that waits for its dependents is settled once it has begun.
func TestSettle(t *testing.T) {
	specs := []*profiles.Spec{spec("db"), spec("app", needs("db", "started"))}
	run(t, specs, nil, map[string]behaviour{"app": {stopAfter: 5 * time.Second}}, func(w *world) {
		after(0)
		w.act(lifecycle.EvRestart, "db")
		if _, err := w.sup.Freeze(w.t.Context()); !errors.Is(err, supervisor.ErrUnsettled) {
			w.t.Errorf("Freeze: %v", err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		if err := w.sup.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, supervisor.ErrUnsettled) {
			w.t.Errorf("Settle: %v", err)
		}
		if err := w.sup.Settle(w.t.Context()); err != nil {
			w.t.Error(err)
		}
		if took := time.Since(began); took != 5*time.Second {
			w.t.Errorf("settled after %v", took)
		}
	})
}

func (w *world) recorded() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.records)
}
