package lifecycle_test

import (
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// An actor steps its machine with what happens and carries out the effects.
func ExampleMachine_Step() {
	policy := lifecycle.Policy{CCP: true, StopWait: 10 * time.Second}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var m lifecycle.Machine
	for _, e := range []lifecycle.Event{
		{Kind: lifecycle.EvStart, Cause: lifecycle.CauseCommand},
		{Kind: lifecycle.EvSpawned, Generation: 1, Pid: 4242},
		{Kind: lifecycle.EvReport, Generation: 1, State: lifecycle.Launch},
		{Kind: lifecycle.EvStop, Cause: lifecycle.CauseCommand},
		{Kind: lifecycle.EvExited, Generation: 1, TreeEmpty: true},
	} {
		var effects []lifecycle.Effect
		m, effects = m.Step(now, policy, e)
		fmt.Printf("%v: %v", e.Kind, m.Status)
		for _, f := range effects {
			fmt.Printf(" %v", f.Kind)
		}
		fmt.Println()
	}
	// Output:
	// start: starting record launch
	// spawned: starting record
	// report: starting record
	// stop: stopping record stop-timer ask set-timer
	// exited: stopped record stop-timer
}

// The stop ladder is data: what is done when which share of the budget is spent.
func ExampleLadder() {
	for _, rung := range lifecycle.Ladder(true) {
		fmt.Printf("%3.0f %% %v\n", rung.At*100, rung.Action)
	}
	// Output:
	//   0 % ask
	//  90 % signal
	// 100 % kill
}

// Decide is the restart policy as a pure function.
func ExampleDecide() {
	policy := lifecycle.Policy{Restart: lifecycle.RestartPolicy{
		Mode: lifecycle.OnFailure, Delay: time.Second, Factor: 2, MaxDelay: time.Minute, LimitCount: 3, LimitWithin: time.Minute,
	}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var book lifecycle.Book
	for i := range 3 {
		end := lifecycle.End{Exit: lifecycle.Exit{Code: 3}}
		v := lifecycle.Decide(policy, book, end, now.Add(time.Duration(i)*10*time.Second), 0)
		fmt.Println(v.Status, v.Delay, v.Reason)
		book = v.Book
	}
	// Output:
	// backoff 1s exit code 3
	// backoff 2s exit code 3
	// failed 0s ended 3 times within 20s (limit 3 within 1m0s), last: exit code 3
}
