package supervisor_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

func (w *world) permit(spec *profiles.Spec) supervisor.Permit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.permits[spec.Name]
}

// allow changes what the owner says of a.
func (w *world) allow(p supervisor.Permit) {
	w.mu.Lock()
	w.permits = map[string]supervisor.Permit{"a": p}
	w.mu.Unlock()
	w.sup.Reconsider()
}

func TestRunsOnlyWithAPermit(t *testing.T) {
	run(t, nil, nil, map[string]behaviour{"a": {lives: time.Minute}}, func(w *world) {
		w.allow(supervisor.Permit{Wait: "not the primary", Leave: true})
		w.apply(nil, []*profiles.Spec{spec("a"), spec("b", needs("a", "started"))}, nil)
		after(time.Minute)
		if v := w.want("a", lifecycle.Waiting); v.Machine.Reason != "not the primary" {
			t.Errorf("reason %q", v.Machine.Reason)
		}
		w.want("b", lifecycle.Waiting)

		w.allow(supervisor.Permit{})
		after(0)
		w.want("a", lifecycle.Running)
		w.want("b", lifecycle.Running)

		w.allow(supervisor.Permit{Wait: "not confirmed"}) // what runs goes on, what ends stays down
		after(time.Second)
		w.want("a", lifecycle.Running)
		after(2 * time.Minute)
		w.want("a", lifecycle.Waiting)

		w.allow(supervisor.Permit{})
		after(0)
		w.want("a", lifecycle.Running)
		w.allow(supervisor.Permit{Wait: "not the primary", Leave: true})
		after(0)
		if v := w.want("a", lifecycle.Waiting); v.Machine.Desired != lifecycle.Up {
			t.Error("it is no longer wanted")
		}
		w.want("b", lifecycle.Waiting)
		if got := w.ended(); !slices.Contains(got, "b") {
			t.Errorf("ended: %v", got)
		}
	})
}
