package supervisor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

func TestGroupStrategies(t *testing.T) {
	for _, c := range []struct {
		strategy string
		ended    []string // in order, the crash first
		launched []string // after the first three
	}{
		{"oneForOne", []string{"b"}, []string{"b"}},
		{"oneForAll", []string{"b", "c", "a"}, []string{"a", "b", "c"}},
		{"restForOne", []string{"b", "c"}, []string{"b", "c"}},
	} {
		t.Run(c.strategy, func(t *testing.T) {
			specs := []*profiles.Spec{spec("a", inGroup("g")), spec("b", inGroup("g")), spec("c", inGroup("g"))}
			groups := map[string]profiles.Group{"app/g": {Strategy: c.strategy, Intensity: 5, Period: 10 * time.Second}}
			run(t, specs, groups, map[string]behaviour{"b": {lives: time.Hour}}, func(w *world) {
				after(time.Hour + 5*time.Second)
				for _, n := range []string{"a", "b", "c"} {
					w.want(n, lifecycle.Running)
				}
				if got := w.ended(); !slices.Equal(got, c.ended) {
					t.Errorf("ended %v, want %v", got, c.ended)
				}
				if got := w.launched()[3:]; !slices.Equal(got, c.launched) {
					t.Errorf("launched %v, want %v", got, c.launched)
				}
			})
		})
	}
}

func TestGroupIntensity(t *testing.T) {
	specs := []*profiles.Spec{spec("a", inGroup("g")), spec("b", inGroup("g"))}
	groups := map[string]profiles.Group{"app/g": {Strategy: "oneForOne", Intensity: 2, Period: time.Minute}}
	run(t, specs, groups, map[string]behaviour{"b": {lives: time.Second, exit: lifecycle.Exit{Code: 3}}}, func(w *world) {
		after(time.Hour)
		for _, name := range []string{"a", "b"} {
			v := w.want(name, lifecycle.Failed)
			if !strings.Contains(v.Machine.Reason, "group app/g failed: 3 ends within 1m0s, the last of b") {
				t.Errorf("%s: %s", name, v.Machine.Reason)
			}
		}
		if n := len(w.launched()); n != 4 {
			t.Errorf("%d launches, want a once and b three times", n)
		}
		w.act(lifecycle.EvStart, "a", "b")
		after(0)
		w.want("a", lifecycle.Running)
		after(time.Hour)
		w.want("a", lifecycle.Failed)
		if n := len(w.launched()); n != 8 {
			t.Errorf("%d launches, want as many again", n)
		}
	})
}
