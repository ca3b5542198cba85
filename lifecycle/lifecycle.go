package lifecycle

import "time"

// Status is the peer's view of an instance.
type Status uint8

// The statuses, in the order an instance usually walks them.
const (
	Stopped   Status = iota
	Waiting          // desired up, its gate is closed (a dependency, an order)
	Starting         // launched; not yet started in the component's own word
	Running          // COMPONENT_EXECUTION was reported, or readiness passed
	Stopping         // on its way down, until its whole tree is gone
	Backoff          // ended; a timer starts it again
	Completed        // ended with success and is not wanted to run again
	Failed           // ended, and only an operator starts it again
)

// Desired is what the operator (or the plan) wants.
type Desired uint8

// The two wishes.
const (
	Down Desired = iota
	Up
)

// State is the component's own word about itself; NoState for a plain process
// and wherever no process lives.
type State uint8

// The component's eight states.
const (
	NoState State = iota
	Launch
	Configuration
	Connect
	Start
	Execution
	StopTimeWait
	StopExecution
	StopCleanup
)

// Cause says what made a transition. Its names are the JSON field "cause".
type Cause uint8

// The causes.
const (
	CauseNone Cause = iota
	CauseStatus
	CauseCommand
	CauseExit
	CauseTimeout
	CauseHealth
	CauseReload
	CauseDependency
	CauseRecovery
)

// Exit is how a process ended: Code 0-255, or -1 with a Signal name
// ("SIGKILL") or, where the end is truly unknown, with a Reason.
type Exit struct {
	Code   int    `json:"code"`
	Signal string `json:"signal"`
	Reason string `json:"reason,omitempty"`
}

// EventKind names an event; Event.Kind.
type EventKind uint8

// Events. The first group are intents, the second comes from the launched
// generation and is dropped when its generation is not the machine's.
const (
	EvStart      EventKind = iota // intent: desired up
	EvStop                        // intent: desired down, by the ladder
	EvRestart                     // intent: down and up again, desired up
	EvKill                        // intent: desired down, by force at once
	EvGateOpen                    // what it waits for is satisfied
	EvGateClosed                  // Detail says what it would have to wait for
	EvDependency                  // a hard dependency died: stop, then wait at the gate
	EvUnhealthy                   // health says restart; Detail why
	EvGiveUp                      // what it belongs to has failed, Detail why: down by the ladder, rests in Failed

	EvSpawned     // Pid lives; said again of another: the generation goes on as that one
	EvSpawnFailed // nothing was spawned; Detail why; Permanent: do not retry
	EvReport      // the component reported State (and Detail)
	EvProgress    // STATUS with progress or EXTEND_TIMEOUT: Extend by Delay
	EvReady       // a plain process passed its readiness
	EvRefused     // handshake or version failure: the component is not used
	EvAskFailed   // INITIATE_SHUTDOWN could not be delivered or was refused
	EvExited      // the leader ended with Exit; TreeEmpty when nothing of it is left
	EvGone        // the whole tree is gone
	EvUnkillable  // force was used and Detail is still there
	EvNoted       // Detail is to be remembered of the generation, and changes nothing
	EvRecovered   // takeover: Pid of Generation lives already, in Status and State
	EvTimer       // Timer ran out
)

// Timer names the machine's timers; each has one instance at most.
type Timer uint8

// The timers.
const (
	TimerLaunch  Timer = iota // launchTimeout: the states before EXECUTION together
	TimerRung                 // next rung of the stop ladder
	TimerBackoff              // next start
	TimerStable               // ran long enough: backoff starts over
)

// Event is something that happened. Only the fields its Kind names are read.
type Event struct {
	Kind       EventKind
	Generation uint64 // 0 for intents
	Cause      Cause  // of intents: command, reload, dependency, recovery
	By         string // of intents: who asked
	Detail     string
	State      State
	Status     Status    // of EvRecovered: Starting, Running or Stopping
	StartedAt  time.Time // of EvRecovered; zero: now
	Pid        int
	Exit       Exit
	TreeEmpty  bool
	Permanent  bool
	Timer      Timer
	Extend     time.Duration
	Rand       float64 // [0,1): the jitter of a backoff that this event may start
}

// EffectKind names an effect; Effect.Kind.
type EffectKind uint8

// Effects: what the actor around the machine must do, in order.
const (
	DoLaunch       EffectKind = iota // spawn Generation
	DoAsk                            // INITIATE_SHUTDOWN with the rest of the budget, After
	DoSignal                         // the stop signal to the whole tree
	DoKill                           // SIGKILL to the whole tree
	DoSetTimer                       // Timer in After; replaces an earlier one
	DoStopTimer                      // Timer
	DoRecord                         // Transition to the journal
	DoRejectReport                   // answer the component's report with an ERROR: Detail
)

// Effect is an order to the actor.
type Effect struct {
	Kind       EffectKind
	Generation uint64
	Timer      Timer
	After      time.Duration
	Detail     string
	Transition Transition
}

// Transition is one step of an instance's history.
type Transition struct {
	Generation uint64
	From, To   Status
	State      State
	Cause      Cause
	By         string
	Pid        int
	Exit       *Exit // set on exactly one transition of each launched generation
	Detail     string
}

// RestartMode is the policy's word.
type RestartMode uint8

// The restart modes.
const (
	Always RestartMode = iota
	OnFailure
	Never
)

// RestartPolicy decides what follows an end that nobody asked for.
type RestartPolicy struct {
	Mode        RestartMode
	ExitCodes   []int         // OnFailure: codes that count as failure; with Signals empty too: all but 0
	Signals     []string      // OnFailure: signals that count as failure
	Delay       time.Duration // first backoff
	Factor      float64       // of each following one
	MaxDelay    time.Duration
	Jitter      float64       // 0..1: share of the delay that varies
	ResetAfter  time.Duration // a run this long starts the backoff over
	LimitCount  int           // this many ends within LimitWithin: failed; 0 no limit
	LimitWithin time.Duration
}

// Policy is what of a Spec the machine needs. It may change between steps.
type Policy struct {
	CCP           bool
	OneShot       bool
	LaunchTimeout time.Duration
	LaunchCap     time.Duration // hard cap of extensions
	StopWait      time.Duration // ComponentStopWaitTime
	Restart       RestartPolicy
}

// Machine is one instance's lifecycle as a value: copy it freely, compare it
// with reflect.DeepEqual, never share a pointer.
type Machine struct {
	Desired     Desired
	Status      Status
	State       State
	Generation  uint64
	Pid         int
	Gate        string    // why it must wait; "" = open
	Reason      string    // why waiting, backoff or failed, or what is unkillable
	Since       time.Time // of Status
	StartedAt   time.Time // of the generation's spawn; zero before it
	NextStartAt time.Time // in Backoff
	Restarts    int       // automatic ones since the last operator start
	LastExit    *Exit     // of the generation that ended last
	Book        Book      // what the restart policy remembers

	run  run
	stop stop
}

// run is what the machine remembers of the generation that lives.
type run struct {
	deadline time.Time     // of the launch, extensions included
	adopted  bool          // taken over and silent since: its first report may name any state
	passed   bool          // handed to this machine and silent since: likewise, and history says so then
	started  bool          // was Running once
	ran      time.Duration // how long it was Running, known when it left
	exit     *Exit         // the leader ended so, its tree lives on
}

// sequel says what follows when the stopping generation is gone; it matters
// only while Desired is Up.
type sequel uint8

const (
	thenPolicy sequel = iota // it ended by itself: the restart policy decides
	thenStart                // it was told to: start again as soon as the gate allows
)

// stop is the way down in progress.
type stop struct {
	sequel  sequel
	failure string // why the end is a failure whatever its exit; "" = the exit decides
	final   bool   // the failure is not worth a retry
	revive  bool   // restart whatever the policy's mode is
	cause   Cause
	by      string
	began   time.Time
	budget  time.Duration // fixed when the stop began: the old definition governs it
	asks    bool          // the ladder has an ask
	next    int           // the rung to come
}

// Step applies one event at the instant now and returns the machine after it
// with the effects to carry out in order. It is total: every status × event is
// decided. An event of another generation changes nothing.
func (m Machine) Step(now time.Time, p Policy, e Event) (Machine, []Effect) {
	act, known := cell(m.Status, e)
	if !known || m.stale(e) {
		return m, nil
	}
	s := stepper{m: m, now: now, p: p, e: e}
	act(&s)
	return s.m, s.out
}

// stale reports whether e belongs to a generation that is not the machine's.
// An intent may carry one, so that a late verdict on a dead process (a health
// check's) does not hit its successor.
func (m Machine) stale(e Event) bool {
	switch {
	case e.Kind == EvRecovered:
		return e.Generation < m.Generation
	case e.Kind < EvSpawned && e.Generation == 0:
		return false
	}
	return e.Generation != m.Generation
}
