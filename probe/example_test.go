package probe_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/probe"
)

func ExampleTracker() {
	var t probe.Tracker
	schedule := probe.Schedule{Failures: 2, StartPeriod: 10 * time.Second}
	fmt.Println(t.Observe(schedule, probe.Result{OK: false}, 1*time.Second)) // still starting
	fmt.Println(t.Observe(schedule, probe.Result{OK: true}, 2*time.Second))
	fmt.Println(t.Observe(schedule, probe.Result{OK: false}, 3*time.Second)) // once is never
	fmt.Println(t.Observe(schedule, probe.Result{OK: false}, 4*time.Second))
	// Output:
	// unknown
	// healthy
	// healthy
	// unhealthy
}

func ExampleRun() {
	ctx, cancel := context.WithCancel(context.Background())
	answers := func(context.Context) (bool, string) { return true, "" }
	probe.Run(ctx, probe.Spec{Func: answers}, probe.Schedule{Interval: time.Minute}, func(h probe.Health, r probe.Result) {
		fmt.Println(h, r.OK)
		cancel()
	})
	// Output: healthy true
}
