package supervisor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// A journal that refuses for long costs memory up to a bound. What is given up
// is told by the record after it, and the end of the process is not among it.
func TestWhatAJournalRefusesForTooLong(t *testing.T) {
	behave := map[string]behaviour{"a": {lives: time.Minute, exit: lifecycle.Exit{Code: 7}}}
	run(t, []*profiles.Spec{spec("a")}, nil, behave, func(w *world) {
		after(time.Second)
		w.refusing(errors.New("disk full"))
		after(time.Hour)
		if h := w.sup.Held(); h.Unsaved != supervisor.MaxUnsaved {
			t.Errorf("%d records are kept, the bound is %d", h.Unsaved, supervisor.MaxUnsaved)
		}
		w.refusing(nil)
		after(time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		lost, ends := 0, 0
		for _, e := range w.records {
			lost += e.Lost
			if e.Transition.Exit != nil && e.Transition.Exit.Code == 7 {
				ends++
			}
		}
		if lost == 0 || ends != 1 {
			t.Errorf("%d records are told to be lost, the end is there %d times", lost, ends)
		}
		w.records = nil // no path: there is a gap
	})
}
