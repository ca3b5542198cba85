package lifecycle

import "time"

// Resume returns the machine as its history left it, for a peer that takes
// over: last is the newest record. It arms nothing. What it meets follows as
// events: EvRecovered if the generation lives, EvExited or EvGone if it ended
// meanwhile; an intent starts again what rests in Backoff. What history left
// in Starting or Running counts as wanted until an intent says otherwise.
func Resume(last Transition, desired Desired) Machine {
	m := Machine{
		Desired: desired, Status: last.To, State: last.State,
		Generation: last.Generation, Pid: last.Pid, LastExit: last.Exit,
	}
	if !last.To.Live() {
		m.Pid, m.Reason = 0, last.Detail
	}
	if last.To == Starting || last.To == Running {
		m.Desired = Up
	}
	m.run.started = last.To == Running || last.State >= Execution
	if last.To == Stopping {
		m.stop.sequel = thenStart
	}
	return m
}

// adopt: a process of the instance lives although history knew of none.
func adopt(s *stepper) {
	s.m.Generation = s.e.Generation
	s.m.State, s.m.Reason = NoState, ""
	s.m.NextStartAt = time.Time{}
	s.takeOver()
}

// readopt: the generation lives, as history says.
func readopt(s *stepper) {
	if s.e.Generation == s.m.Generation {
		s.takeOver()
	}
}

// takeOver continues a generation without launching it. What it was in last
// may be old: its first report may name any state.
func (s *stepper) takeOver() {
	if s.m.Status == Stopping && !s.m.stop.began.IsZero() {
		return // this very machine is stopping it: its budget goes on
	}
	s.m.Pid, s.m.StartedAt = s.e.Pid, s.e.StartedAt
	if s.m.StartedAt.IsZero() {
		s.m.StartedAt = s.now
	}
	s.m.run = run{adopted: true, started: s.e.Status != Starting}
	switch s.e.Status {
	case Stopping:
		if s.e.State != NoState {
			s.m.State = s.e.State
		}
		s.leave(stop{sequel: thenStart, cause: CauseRecovery}, s.e.Detail)
		s.climb()
		return
	case Starting:
		s.present(Starting)
		s.armLaunch()
	default:
		s.present(Running)
		s.armStable()
	}
	if s.p.CCP && s.e.State != NoState {
		report(s)
	}
}

// present records that a generation was found in a status.
func (s *stepper) present(in Status) {
	s.m.Desired = Up
	s.move(in, Transition{Cause: CauseRecovery, Detail: s.e.Detail})
	s.m.Since = s.now
}
