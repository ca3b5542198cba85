package lifecycle

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
		m.Pid = 0
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
	s.m.Reason = ""
	s.takeOver()
}

// readopt: the generation lives, as history says.
func readopt(s *stepper) {
	if s.e.Generation == s.m.Generation {
		s.takeOver()
	}
}

// takeOver continues a generation without launching it.
func (s *stepper) takeOver() {
	to := s.e.Status
	if !to.Live() {
		to = Running
	}
	if s.m.Status == Stopping && !s.m.stop.began.IsZero() {
		return // this very machine is stopping it: its budget goes on
	}
	s.m.Pid, s.m.State, s.m.StartedAt = s.e.Pid, s.e.State, s.e.StartedAt
	if s.m.StartedAt.IsZero() {
		s.m.StartedAt = s.now
	}
	s.m.run = run{adopted: true, started: to == Running || s.m.State >= Execution}
	if to == Stopping {
		s.leave(stop{sequel: thenStart, cause: CauseRecovery}, s.e.Detail)
		s.climb()
		return
	}
	s.m.Desired = Up
	s.move(to, Transition{Cause: CauseRecovery, Detail: s.e.Detail})
	s.m.Since = s.now
	if to == Running {
		s.armStable()
		return
	}
	if s.p.LaunchTimeout > 0 {
		s.m.run.deadline = s.now.Add(s.p.LaunchTimeout)
		s.setTimer(TimerLaunch, s.p.LaunchTimeout)
	}
}
