package lifecycle

import (
	"fmt"
	"slices"
	"strings"
)

// statusNext is the machine's map: where each status may lead. A live status
// also leads to itself, for facts worth recording (a pid, a state, a rung).
var statusNext = [...][]Status{
	Stopped:   {Waiting, Starting},
	Waiting:   {Starting, Stopped, Failed},
	Starting:  {Running, Stopping, Backoff, Completed, Failed},
	Running:   {Stopping, Backoff, Completed, Failed},
	Stopping:  {Stopped, Waiting, Backoff, Completed, Failed},
	Backoff:   {Starting, Waiting, Stopped, Failed},
	Completed: {Starting, Waiting, Stopped},
	Failed:    {Starting, Waiting, Stopped},
}

// stateNext is the component's map: what it may report after what.
var stateNext = [...][]State{
	NoState:       {Launch},
	Launch:        {Configuration, StopTimeWait, StopCleanup},
	Configuration: {Connect, StopTimeWait, StopCleanup},
	Connect:       {Start, StopTimeWait, StopCleanup},
	Start:         {Execution, StopTimeWait, StopCleanup},
	Execution:     {StopTimeWait},
	StopTimeWait:  {StopExecution},
	StopExecution: {StopCleanup},
	StopCleanup:   {},
}

// statusTimer is the one timer that may run in a status; leaving the status
// stops it.
var statusTimer = map[Status]Timer{
	Starting: TimerLaunch,
	Running:  TimerStable,
	Stopping: TimerRung,
	Backoff:  TimerBackoff,
}

// Live reports whether a generation may have a process in this status.
func (s Status) Live() bool { return s == Starting || s == Running || s == Stopping }

// MayLeadTo reports whether the machine has a step from s to next.
func (s Status) MayLeadTo(next Status) bool {
	if s == next {
		return s.Live()
	}
	return int(s) < len(statusNext) && slices.Contains(statusNext[s], next)
}

// MayReport reports whether a component in s may report next. The same state
// again is always allowed: it is information, not a step.
func (s State) MayReport(next State) bool {
	return s == next || int(s) < len(stateNext) && slices.Contains(stateNext[s], next)
}

// rejection says why a component in s may not report next.
func (s State) rejection(next State) string {
	allowed := make([]string, 0, len(stateNext[s]))
	for _, a := range stateNext[s] {
		allowed = append(allowed, a.String())
	}
	list, from := strings.Join(allowed, ", "), s.String()
	if list == "" {
		list = "nothing, only the end of the process"
	}
	if s == NoState {
		from = "no state yet"
	}
	return fmt.Sprintf("cannot report %v from %s: allowed is %s", next, from, list)
}

// CheckPath says whether history, the records of one instance in order, is a
// path of the machine; its error names the record (from 0) that is not. The
// history may begin anywhere, since old records age out.
func CheckPath(history []Transition) error {
	unsure := false // taken over and silent since: its next state may be any
	for i := range history {
		t := &history[i]
		err := checkRecord(t)
		if err == nil && i > 0 {
			err = checkPair(&history[i-1], t, unsure)
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		switch {
		case t.Cause == CauseRecovery && t.To.Live():
			unsure = true
		case i > 0 && t.State != history[i-1].State:
			unsure = false
		}
	}
	return nil
}

// checkRecord judges one record by itself.
func checkRecord(t *Transition) error {
	recovered := t.Cause == CauseRecovery && t.To.Live()
	if !recovered && !t.From.MayLeadTo(t.To) {
		return fmt.Errorf("no step leads from %v to %v", t.From, t.To)
	}
	if ends := t.From.Live() && !t.To.Live(); ends != (t.Exit != nil) {
		return fmt.Errorf("%v to %v: a generation's end carries its exit, and nothing else does", t.From, t.To)
	}
	if !t.To.Live() && t.State != NoState {
		return fmt.Errorf("%v with state %v: no process lives there", t.To, t.State)
	}
	return nil
}

// checkPair judges a record against the one before it.
func checkPair(prev, t *Transition, unsure bool) error {
	if t.From != prev.To {
		return fmt.Errorf("it begins in %v, the one before ended in %v", t.From, prev.To)
	}
	launch := !t.From.Live() && t.To.Live()
	recovered := t.Cause == CauseRecovery && t.To.Live()
	switch {
	case launch && recovered && t.Generation < prev.Generation:
		return fmt.Errorf("generation went back from %d to %d", prev.Generation, t.Generation)
	case launch && !recovered && t.Generation != prev.Generation+1:
		return fmt.Errorf("a launch after generation %d must be %d, not %d", prev.Generation, prev.Generation+1, t.Generation)
	case !launch && t.Generation != prev.Generation:
		return fmt.Errorf("generation changed from %d to %d without a launch", prev.Generation, t.Generation)
	case !launch && !recovered && !unsure && t.To.Live() && !prev.State.MayReport(t.State):
		return fmt.Errorf("state %v may not follow %v", t.State, prev.State)
	}
	return nil
}
