package peer

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The actor of an instance never waits for a check, however slowly it ends, and
// still one check runs at a time and the last one wins.
func TestMonitorNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			m       monitor
			work    sync.WaitGroup
			mu      sync.Mutex
			running int
			last    int
		)
		check := func(n int) func(context.Context) {
			return func(ctx context.Context) {
				mu.Lock()
				last = n
				if running++; running > 1 {
					t.Errorf("check %d runs beside another", n)
				}
				mu.Unlock()
				<-ctx.Done()
				time.Sleep(time.Minute) // it ends slowly
				mu.Lock()
				running--
				mu.Unlock()
			}
		}
		began := time.Now()
		m.start(t.Context(), &work, check(1))
		synctest.Wait()
		m.stop()
		m.start(t.Context(), &work, check(2))
		m.start(t.Context(), &work, check(3))
		if took := time.Since(began); took != 0 {
			t.Errorf("the caller waited %v", took)
		}
		time.Sleep(10 * time.Minute)
		mu.Lock()
		if running != 1 || last != 3 {
			t.Errorf("%d checks run, the last is %d", running, last)
		}
		mu.Unlock()
		m.stop()
		work.Wait()
	})
}
