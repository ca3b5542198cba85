package lifecycle

import "time"

// stepper carries one Step: the machine as it becomes, what made it move, and
// the effects so far.
type stepper struct {
	m   Machine
	now time.Time
	p   Policy
	e   Event
	out []Effect
}

// action is one cell of the matrix.
type action func(*stepper)

// matrix decides every event in every status. The timers follow EvTimer, one
// row each.
var matrix = [...][8]action{
	// stopped, waiting, starting, running, stopping, backoff, completed, failed
	EvStart:       {start, start, ignore, ignore, again, start, start, start},
	EvStop:        {ignore, rest, goDown, goDown, stayDown, rest, rest, rest},
	EvRestart:     {start, start, cycle, cycle, again, start, start, start},
	EvKill:        {ignore, rest, kill, kill, hasten, rest, rest, rest},
	EvGateOpen:    {openGate, proceed, openGate, openGate, openGate, openGate, openGate, openGate},
	EvGateClosed:  {closeGate, closeGate, closeGate, closeGate, closeGate, closeGate, closeGate, closeGate},
	EvDependency:  {closeGate, closeGate, retreat, retreat, closeGate, closeGate, closeGate, closeGate},
	EvUnhealthy:   {ignore, ignore, ignore, revive, ignore, ignore, ignore, ignore},
	EvGiveUp:      {ignore, resign, giveUp, giveUp, giveUpToo, resign, ignore, ignore},
	EvSpawned:     {ignore, ignore, spawned, ignore, spawnedLate, ignore, ignore, ignore},
	EvSpawnFailed: {ignore, ignore, notSpawned, ignore, notSpawned, ignore, ignore, ignore},
	EvReport:      {ignore, ignore, report, report, report, ignore, ignore, ignore},
	EvProgress:    {ignore, ignore, extend, ignore, ignore, ignore, ignore, ignore},
	EvReady:       {ignore, ignore, ready, ignore, ignore, ignore, ignore, ignore},
	EvRefused:     {ignore, ignore, refused, refused, askFailed, ignore, ignore, ignore},
	EvAskFailed:   {ignore, ignore, ignore, ignore, askFailed, ignore, ignore, ignore},
	EvExited:      {ignore, ignore, exited, exited, exitedDown, ignore, ignore, ignore},
	EvGone:        {ignore, ignore, gone, gone, gone, ignore, ignore, ignore},
	EvUnkillable:  {ignore, ignore, ignore, ignore, unkillable, ignore, ignore, ignore},
	EvNoted:       {ignore, ignore, noted, noted, noted, ignore, ignore, ignore},
	EvRecovered:   {adopt, adopt, readopt, readopt, readopt, adopt, adopt, adopt},

	EvTimer + EventKind(TimerLaunch):  {ignore, ignore, launchTimeout, ignore, ignore, ignore, ignore, ignore},
	EvTimer + EventKind(TimerRung):    {ignore, ignore, ignore, ignore, nextRung, ignore, ignore, ignore},
	EvTimer + EventKind(TimerBackoff): {ignore, ignore, ignore, ignore, ignore, retry, ignore, ignore},
	EvTimer + EventKind(TimerStable):  {ignore, ignore, ignore, stable, ignore, ignore, ignore, ignore},
}

// cell returns what e does in status s; known is false for a kind, timer or
// status that does not exist.
func cell(s Status, e Event) (act action, known bool) {
	row := int(e.Kind)
	switch {
	case e.Kind > EvTimer:
		return nil, false
	case e.Kind == EvTimer:
		row += int(e.Timer)
	}
	if row >= len(matrix) || int(s) >= len(matrix[row]) {
		return nil, false
	}
	return matrix[row][s], true
}

func ignore(*stepper) {}

// do appends an effect of the present generation.
func (s *stepper) do(e Effect) {
	e.Generation = s.m.Generation
	s.out = append(s.out, e)
}

func (s *stepper) setTimer(t Timer, after time.Duration) {
	s.do(Effect{Kind: DoSetTimer, Timer: t, After: max(after, 0)})
}

// move goes to status to (or stays) and records it. t says why; the rest of
// the transition comes from the machine.
func (s *stepper) move(to Status, t Transition) {
	from := s.m.Status
	t.Generation, t.From, t.To, t.State, t.Pid = s.m.Generation, from, to, s.m.State, s.m.Pid
	if !to.Live() {
		t.State = NoState
	}
	s.do(Effect{Kind: DoRecord, Transition: t})
	if from == to {
		return
	}
	if timer, has := statusTimer[from]; has {
		s.do(Effect{Kind: DoStopTimer, Timer: timer})
	}
	if from == Running {
		s.m.run.ran = s.now.Sub(s.m.Since)
	}
	s.m.Status, s.m.Since = to, s.now
}

// note records a fact of the present status.
func (s *stepper) note(c Cause, detail string) {
	s.move(s.m.Status, Transition{Cause: c, Detail: detail})
}

// cause is the event's own, or what its kind implies.
func (s *stepper) cause(implied Cause) Cause {
	if s.e.Cause != CauseNone {
		return s.e.Cause
	}
	return implied
}

// launch begins the next generation.
func (s *stepper) launch(c Cause, by string) {
	s.m.Generation++
	s.m.State, s.m.Pid = NoState, 0
	s.m.StartedAt, s.m.NextStartAt = time.Time{}, time.Time{}
	s.m.Reason = ""
	s.m.run, s.m.stop = run{}, stop{}
	s.move(Starting, Transition{Cause: c, By: by})
	s.do(Effect{Kind: DoLaunch})
}

// launchOrWait launches if the gate is open and waits at it otherwise.
func (s *stepper) launchOrWait(c Cause, by string) {
	if s.m.Gate == "" {
		s.launch(c, by)
		return
	}
	s.m.NextStartAt = time.Time{}
	s.m.Reason = s.m.Gate
	if s.m.Status != Waiting {
		s.move(Waiting, Transition{Cause: c, By: by, Detail: s.m.Gate})
	}
}

// leave enters Stopping with st; the caller then climbs or forces.
func (s *stepper) leave(st stop, detail string) {
	st.began, st.budget = s.now, max(s.p.StopWait, 0)
	st.asks = s.p.CCP && s.m.State != NoState
	s.m.stop, s.m.Reason = st, st.failure
	s.move(Stopping, Transition{Cause: st.cause, By: st.by, Detail: detail})
}

// running enters Running.
func (s *stepper) running(c Cause, detail string) {
	s.m.run.started = true
	s.move(Running, Transition{Cause: c, Detail: detail})
	s.armStable()
}

func (s *stepper) armStable() {
	if after := s.p.Restart.ResetAfter; after > 0 {
		s.setTimer(TimerStable, after)
	}
}

// finish ends the generation: nothing of it is left. An exit that was noted
// when the leader ended wins over x.
func (s *stepper) finish(x Exit, notSpawned bool) {
	if s.m.run.exit != nil {
		x = *s.m.run.exit
	}
	if s.m.Status == Running {
		s.m.run.ran = s.now.Sub(s.m.Since)
	}
	s.m.LastExit = &x
	down := s.m.stop
	switch {
	case s.m.Desired == Down:
		s.m.Reason = ""
		s.settle(Stopped, Transition{Exit: &x})
	case s.m.Status == Stopping && down.sequel == thenStart:
		s.m.Reason = s.m.Gate
		s.settle(Waiting, Transition{Exit: &x, Detail: s.m.Gate})
		if s.m.Gate == "" {
			s.launch(down.cause, down.by)
		}
	default:
		s.judge(x, notSpawned)
	}
}

// judge lets the restart policy decide what follows.
func (s *stepper) judge(x Exit, notSpawned bool) {
	down := s.m.stop
	end := End{
		Exit: x, RanFor: s.m.run.ran, Failure: down.failure,
		NotSpawned: notSpawned, Final: down.final, Revive: down.revive,
	}
	if s.p.CCP && !s.m.run.started && x.Success() && end.Failure == "" {
		end.Failure = "ended with " + x.String() + " before " + Execution.String()
	}
	v := Decide(s.p, s.m.Book, end, s.now, s.e.Rand)
	s.m.Book, s.m.Reason = v.Book, v.Reason
	s.settle(v.Status, Transition{Exit: &x, Detail: v.Reason})
	switch v.Status {
	case Backoff:
		s.m.NextStartAt = s.now.Add(v.Delay)
		s.setTimer(TimerBackoff, v.Delay)
	case Completed:
		s.m.Reason = ""
	}
}

// settle moves a generation that has ended to the status it rests in.
func (s *stepper) settle(to Status, t Transition) {
	t.Cause = CauseExit
	s.move(to, t)
	s.m.State, s.m.Pid = NoState, 0
	s.m.run, s.m.stop = run{}, stop{}
}
