package peer

import (
	"testing"
	"testing/synctest"
	"time"
)

// Files that never are quiet do not put a reload off for ever.
func TestQuietFiresInTheMidstOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuiet()
		defer q.timer.Stop()
		began := time.Now()
		noise := time.NewTicker(settle / 2)
		defer noise.Stop()
		for {
			select {
			case <-noise.C:
				q.event()
				continue
			case <-q.timer.C:
				q.fired()
			}
			break
		}
		if took := time.Since(began); took < maxSettle || took > maxSettle+settle {
			t.Errorf("fired after %v", took)
		}
		q.event()
		began = time.Now()
		<-q.timer.C
		if took := time.Since(began); took != settle {
			t.Errorf("quiet at last, fired after %v", took)
		}
	})
}
