package probe

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestTracker(t *testing.T) {
	sch := Schedule{Failures: 3, Successes: 2, StartPeriod: 10 * time.Second}
	for _, c := range []struct {
		name    string
		since   time.Duration // of every check
		results string        // + passes, - fails, 0 cannot be made
		want    string        // verdicts: ? unknown, h healthy, u unhealthy
	}{
		{"first success counts at once", 0, "+", "h"},
		{"threshold of failures", time.Minute, "+--+---", "hhhhhhu"},
		{"threshold of successes", time.Minute, "---+-++", "??uuuuh"},
		{"start period forgives", time.Second, "-------", "???????"},
		{"start period ends with a success", time.Second, "-+---", "?hhhu"},
		{"what cannot be made says nothing", time.Minute, "+--00000-", "hhhhhhhhu"},
		{"never up", 10 * time.Second, "---", "??u"},
	} {
		var tr Tracker
		got := ""
		for _, r := range c.results {
			got += string("?hu"[tr.Observe(sch, Result{OK: r == '+', Unable: r == '0'}, c.since)])
		}
		if got != c.want {
			t.Errorf("%s: %s gives %s, want %s", c.name, c.results, got, c.want)
		}
	}
}

// The verdict follows from the last results alone.
func TestTrackerVerdictFollowsTheLastResults(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		sch := Schedule{Failures: rapid.IntRange(1, 4).Draw(r, "failures"), Successes: rapid.IntRange(1, 4).Draw(r, "successes")}
		var tr Tracker
		oks, fails := 0, 0
		before := Unknown
		for _, ok := range rapid.SliceOf(rapid.Bool()).Draw(r, "results") {
			if ok {
				oks, fails = oks+1, 0
			} else {
				oks, fails = 0, fails+1
			}
			got := tr.Observe(sch, Result{OK: ok}, time.Hour)
			want := before
			switch {
			case fails >= sch.Failures:
				want = Unhealthy
			case oks >= sch.Successes || oks > 0 && before != Unhealthy:
				want = Healthy
			}
			if got != want {
				r.Fatalf("%v, want %v", got, want)
			}
			before = got
		}
	})
}

func TestRunKeepsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		inFlight, calls := 0, []string{}
		check := func(ctx context.Context) (bool, string) {
			if inFlight++; inFlight > 1 {
				t.Error("two checks in flight")
			}
			defer func() { inFlight-- }()
			calls = append(calls, time.Since(start).String())
			if len(calls) == 3 || len(calls) == 4 { // hangs
				<-ctx.Done()
				return false, "hung"
			}
			return true, ""
		}
		var verdicts []string
		Run(ctx, Spec{Func: check}, Schedule{Interval: 10 * time.Second, Timeout: 5 * time.Second, Failures: 2}, func(h Health, r Result) {
			verdicts = append(verdicts, fmt.Sprint(time.Since(start), h))
		})
		if got, want := fmt.Sprint(calls), "[0s 10s 20s 35s 50s 1m0s 1m10s 1m20s 1m30s"; len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("checked at %s", got)
		}
		if got, want := fmt.Sprint(verdicts), "[0s healthy 40s unhealthy 50s healthy]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestRunSaysNothingAfterItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		check := func(ctx context.Context) (bool, string) {
			cancel() // stopping begins while a check is under way
			return false, ""
		}
		Run(ctx, Spec{Func: check}, Schedule{Failures: 1}, func(Health, Result) { t.Error("called") })
	})
}
