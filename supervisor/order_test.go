package supervisor_test

import (
	"slices"
	"testing"

	"github.com/seed-04209a44/peerd/profiles"
)

// Who depends on an instance comes after it, though its launchOrder be lower.
func TestLaunchOrderAgainstADependency(t *testing.T) {
	late := spec("late", func(s *profiles.Spec) { s.LaunchOrder = 1 })
	specs := []*profiles.Spec{late, spec("early", needs("late", "started")), spec("earlier", needs("early", "started"))}
	run(t, specs, nil, nil, func(w *world) {
		after(0)
		if got := w.launched(); !slices.Equal(got, []string{"late", "early", "earlier"}) {
			t.Errorf("launched %v", got)
		}
	})
}
