package lifecycle

import (
	"strings"
	"testing"
	"time"
)

// The numbers are those of the black-box cases supervisors are judged by.

func TestStopWhileWaiting_5(t *testing.T) {
	d := drive(t).step(Event{Kind: EvGateClosed, Detail: "waits for db"}).step(Event{Kind: EvStart}).is(Waiting)
	if d.m.Reason != "waits for db" {
		t.Errorf("reason is %q", d.m.Reason)
	}
	d.step(Event{Kind: EvStop}).is(Stopped).did()
	d.step(Event{Kind: EvGateOpen}).is(Stopped).did()
}

func TestRestartTwiceWhileWaiting_6(t *testing.T) {
	d := drive(t).step(Event{Kind: EvGateClosed, Detail: "waits for db"}).step(Event{Kind: EvStart})
	d.step(Event{Kind: EvRestart}).step(Event{Kind: EvRestart}).is(Waiting)
	d.step(Event{Kind: EvGateOpen}).is(Starting).did(DoLaunch)
	if d.m.Generation != 1 {
		t.Errorf("generation is %d", d.m.Generation)
	}
}

func TestHardDependencyDies_7(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvDependency, Detail: "db ended"}).is(Stopping).did(DoAsk)
	if d.m.Desired != Up {
		t.Error("it is still wanted")
	}
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Waiting).did()
	if d.m.Reason != "db ended" || d.m.Book.Streak != 0 {
		t.Errorf("reason %q, streak %d", d.m.Reason, d.m.Book.Streak)
	}
	d.step(Event{Kind: EvGateOpen}).is(Starting).did(DoLaunch)
}

func TestDependencyBackBeforeTheEnd(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvDependency, Detail: "db ended"}).step(Event{Kind: EvGateOpen}).is(Stopping)
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Starting).did(DoLaunch)
	n := len(d.history)
	if end, launch := d.history[n-2], d.history[n-1]; end.To != Waiting || end.Exit == nil || end.Generation != 1 || launch.Generation != 2 {
		t.Errorf("the end and the launch are %+v and %+v", end, launch)
	}
}

// crash lets the running generation die, and walks through the backoff.
func (d *driver) crash() *driver {
	d.t.Helper()
	d.step(Event{Kind: EvExited, Exit: Exit{Code: 3}, TreeEmpty: true, Rand: 0.5})
	return d
}

func (d *driver) back() *driver {
	d.t.Helper()
	d.is(Backoff).after(d.m.NextStartAt.Sub(d.now)).step(Event{Kind: EvTimer, Timer: TimerBackoff}).is(Starting).did(DoLaunch)
	return d.step(Event{Kind: EvSpawned, Pid: 77}).reports(Launch, Configuration, Connect, Start, Execution)
}

func TestBackoffGrowsAndStartsOver_11_12(t *testing.T) {
	d := drive(t)
	d.p.Restart.LimitCount = 0
	d.up()
	for _, want := range []time.Duration{1, 2, 4, 4} {
		d.crash()
		if got := d.m.NextStartAt.Sub(d.now); got != want*time.Second {
			t.Fatalf("delay is %v, want %ds", got, want)
		}
		d.back()
	}
	d.after(time.Minute).step(Event{Kind: EvTimer, Timer: TimerStable}).is(Running)
	if d.m.Book.Streak != 0 {
		t.Error("a stable run did not start the backoff over")
	}
	if d.crash(); d.m.NextStartAt.Sub(d.now) != time.Second || d.m.Restarts != 4 {
		t.Errorf("delay %v after %d restarts", d.m.NextStartAt.Sub(d.now), d.m.Restarts)
	}
}

func TestCrashLoopFails_13(t *testing.T) {
	d := drive(t).up()
	for range 4 {
		d.crash().back()
	}
	d.crash().is(Failed).did()
	if !strings.Contains(d.m.Reason, "ended 5 times") || !strings.Contains(d.m.Reason, "exit code 3") {
		t.Errorf("reason is %q", d.m.Reason)
	}
	d.step(Event{Kind: EvStart}).is(Starting).did(DoLaunch)
	if d.m.Restarts != 0 || d.m.Book.Ends != nil || d.m.Reason != "" {
		t.Errorf("an operator's start did not clear the slate: %+v", d.m)
	}
}

func TestOldEndsLeaveTheWindow(t *testing.T) {
	d := drive(t).up()
	for range 20 {
		d.crash().back().after(8 * time.Second)
	}
	d.is(Running)
}

func TestManualRestartsAreNoCrashes_14(t *testing.T) {
	d := drive(t).up()
	for range 20 {
		d.step(Event{Kind: EvRestart}).step(Event{Kind: EvExited, Exit: Exit{Code: 9}, TreeEmpty: true}).is(Starting)
		d.step(Event{Kind: EvSpawned}).reports(Launch, Configuration, Connect, Start, Execution)
	}
	if d.m.Restarts != 0 || d.m.Book.Streak != 0 || len(d.m.Book.Ends) != 0 {
		t.Errorf("manual restarts were counted: %+v", d.m)
	}
}

func TestStartInBackoffStartsNow_15(t *testing.T) {
	d := drive(t)
	d.p.Restart.Delay, d.p.Restart.MaxDelay = 24*time.Hour, 24*time.Hour
	d.up().crash().is(Backoff).step(Event{Kind: EvStart}).is(Starting).did(DoLaunch)
	if !d.m.NextStartAt.IsZero() {
		t.Error("the old appointment stands")
	}
}

func TestStopInBackoff(t *testing.T) {
	d := drive(t).up().crash().step(Event{Kind: EvStop}).is(Stopped)
	d.step(Event{Kind: EvTimer, Timer: TimerBackoff}).is(Stopped).did()
}

func TestIgnoredAskClimbsTheLadder_20_45(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvStop}).did(DoAsk)
	d.after(9 * time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoSignal)
	d.after(time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoKill)
	d.step(Event{Kind: EvExited, Exit: Exit{Code: -1, Signal: "SIGKILL"}, TreeEmpty: true}).is(Stopped)
	if d.m.LastExit.Signal != "SIGKILL" {
		t.Errorf("last exit is %+v", d.m.LastExit)
	}
}

func TestSeveredChannelIsSignalledAtOnce_45(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvStop}).after(time.Second).step(Event{Kind: EvAskFailed, Detail: "no channel"}).did(DoSignal)
	d.after(8 * time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did() // early: the kill keeps its time
	d.after(time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoKill)
}

func TestSecondStopHasItsFullGrace_21(t *testing.T) {
	d := drive(t)
	d.p.CCP = false
	d.up().step(Event{Kind: EvStop}).after(8 * time.Second).step(Event{Kind: EvExited, TreeEmpty: true}).is(Stopped)
	stale := Event{Kind: EvTimer, Timer: TimerRung, Generation: d.m.Generation}
	d.up().step(Event{Kind: EvStop}).after(2 * time.Second).raw(stale).did()
	d.after(8 * time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoKill)
}

func TestStopAgainDoesNotExtend(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvStop}).after(5 * time.Second).step(Event{Kind: EvStop}).did()
	d.after(4 * time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoSignal)
	d.step(Event{Kind: EvKill}).did(DoKill)
}

func TestLeaderEndsMemberStays_22_24(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvExited, Exit: Exit{Code: 3}}).is(Stopping).did(DoKill)
	d.step(Event{Kind: EvGone}).is(Backoff)
	if d.m.LastExit.Code != 3 || d.m.Reason != "exit code 3" {
		t.Errorf("the leader's exit was lost: %+v, %q", d.m.LastExit, d.m.Reason)
	}
	d = drive(t).up().step(Event{Kind: EvStop}).after(time.Second).step(Event{Kind: EvExited}).is(Stopping).did(DoSignal)
	d.after(9 * time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoKill)
	d.step(Event{Kind: EvGone}).is(Stopped)
}

func TestUnkillableIsNotDoubled_18(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvKill}).did(DoKill).step(Event{Kind: EvUnkillable, Detail: "pid 80"}).is(Stopping)
	d.step(Event{Kind: EvStart}).is(Stopping).did()
	if d.m.Reason != "unkillable: pid 80" {
		t.Errorf("reason is %q", d.m.Reason)
	}
	d.step(Event{Kind: EvGone}).is(Starting).did(DoLaunch)
}

func TestSpawnErrorsAreRetried_26_27(t *testing.T) {
	d := drive(t).step(Event{Kind: EvStart})
	for range 50 {
		d.step(Event{Kind: EvSpawnFailed, Detail: "no such file", Rand: 0.5}).is(Backoff)
		if delay := d.m.NextStartAt.Sub(d.now); delay > SpawnRetryMax || d.m.LastExit.Reason != "not spawned: no such file" {
			t.Fatalf("delay %v, exit %+v", delay, d.m.LastExit)
		}
		d.after(d.m.NextStartAt.Sub(d.now)).step(Event{Kind: EvTimer, Timer: TimerBackoff}).is(Starting)
	}
	d.step(Event{Kind: EvSpawnFailed, Permanent: true}).is(Failed)
}

func TestBackoffEndsAtAClosedGate(t *testing.T) {
	d := drive(t).up().crash().step(Event{Kind: EvGateClosed, Detail: "waits for db"}).is(Backoff)
	d.after(time.Second).step(Event{Kind: EvTimer, Timer: TimerBackoff}).is(Waiting).did()
	d.step(Event{Kind: EvGateOpen}).is(Starting)
	if d.m.Restarts != 1 {
		t.Errorf("restarts is %d", d.m.Restarts)
	}
}

func TestManyRestartsAreOne_36(t *testing.T) {
	d := drive(t).up()
	records := len(d.history)
	for range 50 {
		d.step(Event{Kind: EvRestart})
	}
	if d.step(Event{Kind: EvExited, TreeEmpty: true}); d.m.Generation != 2 {
		t.Errorf("generation is %d", d.m.Generation)
	}
	if got := len(d.history) - records; got != 3 { // stopping, the end, the launch
		t.Errorf("%d records", got)
	}
}

func TestLatestIntentWins(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvStop}).step(Event{Kind: EvStart}).step(Event{Kind: EvStop})
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Stopped).did()
	d.up().step(Event{Kind: EvStop}).step(Event{Kind: EvStart, By: "me"}).step(Event{Kind: EvExited, TreeEmpty: true}).is(Starting)
	if last := d.history[len(d.history)-1]; last.By != "me" {
		t.Errorf("who started it: %+v", last)
	}
}

func TestStuckLaunchHasADeadline_42(t *testing.T) {
	d := drive(t).step(Event{Kind: EvStart}).after(time.Hour) // spawning may take long
	d.step(Event{Kind: EvSpawned}).reports(Launch, Configuration)
	for range 10 {
		d.after(15 * time.Second).step(Event{Kind: EvProgress, Extend: 20 * time.Second}).is(Starting)
		if d.now.Sub(d.m.StartedAt) >= d.p.LaunchCap {
			break
		}
	}
	d.step(Event{Kind: EvTimer, Timer: TimerLaunch}).is(Stopping).did(DoKill)
	d.step(Event{Kind: EvExited, Exit: Exit{Code: -1, Signal: "SIGKILL"}, TreeEmpty: true}).is(Backoff)
	if want := "not started within 2m0s (in COMPONENT_CONFIGURATION)"; d.m.Reason != want {
		t.Errorf("reason is %q, want %q", d.m.Reason, want)
	}
}

func TestRefusalSurvivesIntoBackoff(t *testing.T) {
	d := drive(t).step(Event{Kind: EvStart}).step(Event{Kind: EvSpawned})
	d.step(Event{Kind: EvRefused, Detail: "range 2.0-2.1 does not meet 1.0"}).is(Stopping).did(DoKill)
	d.step(Event{Kind: EvGone}).is(Backoff)
	if d.m.Reason != "refused: range 2.0-2.1 does not meet 1.0" {
		t.Errorf("reason is %q", d.m.Reason)
	}
}

func TestUnhealthyIsRestartedAndCounted(t *testing.T) {
	d := drive(t)
	d.p.Restart.Mode = Never
	d.up().step(Event{Kind: EvUnhealthy, Detail: "no answer"}).is(Stopping).did(DoAsk)
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Backoff)
	if d.m.Reason != "unhealthy: no answer" || len(d.m.Book.Ends) != 1 {
		t.Errorf("reason %q, ends %v", d.m.Reason, d.m.Book.Ends)
	}
	late := Event{Kind: EvUnhealthy, Generation: 1}
	d.back().raw(late).is(Running).did()
}

func TestReports(t *testing.T) {
	d := drive(t).step(Event{Kind: EvStart}).step(Event{Kind: EvSpawned}).reports(Launch)
	records := len(d.history)
	d.reports(Launch)
	if len(d.history) != records {
		t.Error("the same state again was recorded")
	}
	d.reports(Connect).is(Starting).did(DoRejectReport)
	why := d.effects[len(d.effects)-1].Detail
	for _, part := range []string{"COMPONENT_CONNECT", "from COMPONENT_LAUNCH", "COMPONENT_CONFIGURATION"} {
		if !strings.Contains(why, part) {
			t.Errorf("%q does not name %s", why, part)
		}
	}
	if last := d.history[len(d.history)-1]; d.m.State != Launch || !strings.HasPrefix(last.Detail, "rejected report") {
		t.Errorf("state %v, record %+v", d.m.State, last)
	}
}

func TestStopsByItself(t *testing.T) {
	d := drive(t).up().reports(StopTimeWait).is(Stopping).did()
	if d.m.Desired != Up {
		t.Error("nobody said it is unwanted")
	}
	d.after(9 * time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoSignal)
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Backoff)
	d = drive(t)
	d.p.OneShot = true
	d.up().reports(StopTimeWait, StopExecution, StopCleanup).step(Event{Kind: EvExited, TreeEmpty: true}).is(Completed)
}

func TestStopBeforeItLives(t *testing.T) {
	d := drive(t).step(Event{Kind: EvStart}).step(Event{Kind: EvStop}).is(Stopping).did(DoSignal)
	d.step(Event{Kind: EvSpawned, Pid: 5}).is(Stopping).did(DoSignal) // the first may have met nothing
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Stopped)
	d.step(Event{Kind: EvStart}).step(Event{Kind: EvStop}).step(Event{Kind: EvSpawnFailed, Detail: "told to stop"}).is(Stopped)
}

func TestOldDefinitionGovernsTheStop_34(t *testing.T) {
	d := drive(t).up().step(Event{Kind: EvStop})
	d.p.StopWait, d.p.CCP = time.Hour, false
	d.after(10*time.Second).step(Event{Kind: EvTimer, Timer: TimerRung}).did(DoSignal, DoKill)
}

func TestTakeover_37(t *testing.T) {
	before := drive(t).up()
	d := drive(t)
	d.history = before.history
	d.m = Resume(before.history[len(before.history)-1], Up)
	d.is(Running).step(Event{Kind: EvRecovered, Pid: 77, Status: Running}).is(Running).did()
	if d.m.Generation != 1 || d.m.Pid != 77 {
		t.Errorf("adopted as %+v", d.m)
	}
	d.reports(Execution).is(Running).did() // its first word may be any
	if d.m.State != Execution {
		t.Errorf("state is %v", d.m.State)
	}
	d.reports(Connect).did(DoRejectReport)
	d.step(Event{Kind: EvStop}).did(DoAsk)
}

func TestEndedDuringTakeover_38(t *testing.T) {
	before := drive(t).up()
	d := drive(t)
	d.history = before.history
	d.m = Resume(before.history[len(before.history)-1], Up)
	d.step(Event{Kind: EvExited, Exit: Exit{Code: 37}, TreeEmpty: true}).is(Backoff)
	if d.m.LastExit.Code != 37 {
		t.Errorf("last exit is %+v", d.m.LastExit)
	}
}

func TestStopInProgressIsFinishedAfterTakeover(t *testing.T) {
	before := drive(t).up().step(Event{Kind: EvStop})
	d := drive(t)
	d.history = before.history
	d.m = Resume(before.history[len(before.history)-1], Down)
	d.step(Event{Kind: EvRecovered, Pid: 77, Status: Stopping, State: Execution}).is(Stopping).did(DoAsk)
	d.step(Event{Kind: EvExited, TreeEmpty: true}).is(Stopped)
}

func TestAdoptsWhatHistoryDoesNotKnow(t *testing.T) {
	d := drive(t).raw(Event{Kind: EvRecovered, Generation: 4, Pid: 9, Status: Starting, State: Connect}).is(Starting)
	d.reports(Start, Execution).is(Running)
	if d.m.Generation != 4 || d.m.Desired != Up {
		t.Errorf("adopted as %+v", d.m)
	}
}

func TestUnknownKindsChangeNothing(t *testing.T) {
	d := drive(t).up()
	d.step(Event{Kind: 200}).is(Running).did()
	d.step(Event{Kind: EvTimer, Timer: 200}).is(Running).did()
	d.step(Event{Kind: EvReport, State: 200}).is(Running).did(DoRejectReport)
}
