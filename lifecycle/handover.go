package lifecycle

import "time"

// Saved is a machine on its way to the next program: all that Continue needs to
// go on as if nothing had happened. Its JSON is read by programs one version
// apart, so that fields are added, never renamed.
type Saved struct {
	Desired     Desired   `json:"desired"`
	Status      Status    `json:"status"`
	State       State     `json:"state,omitempty"`
	Generation  uint64    `json:"generation"`
	Pid         int       `json:"pid,omitempty"`
	Gate        string    `json:"gate,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Since       time.Time `json:"since"`
	StartedAt   time.Time `json:"startedAt,omitzero"`
	NextStartAt time.Time `json:"nextStartAt,omitzero"`
	Restarts    int       `json:"restarts,omitempty"`
	LastExit    *Exit     `json:"lastExit,omitempty"`
	Book        Book      `json:"book"`
	Run         SavedRun  `json:"run"`
	Stop        SavedStop `json:"stop"`
}

// SavedRun is what the machine remembers of the generation that lives.
type SavedRun struct {
	Deadline time.Time     `json:"deadline,omitzero"`
	Adopted  bool          `json:"adopted,omitempty"`
	Started  bool          `json:"started,omitempty"`
	Ran      time.Duration `json:"ran,omitempty"`
	Exit     *Exit         `json:"exit,omitempty"`
}

// SavedStop is the way down in progress.
type SavedStop struct {
	ThenStart bool          `json:"thenStart,omitempty"`
	Failure   string        `json:"failure,omitempty"`
	Final     bool          `json:"final,omitempty"`
	Revive    bool          `json:"revive,omitempty"`
	Cause     Cause         `json:"cause,omitempty"`
	By        string        `json:"by,omitempty"`
	Began     time.Time     `json:"began,omitzero"`
	Budget    time.Duration `json:"budget,omitempty"`
	Asks      bool          `json:"asks,omitempty"`
	Next      int           `json:"next,omitempty"`
}

// Save is the machine as Continue takes it.
func (m Machine) Save() Saved {
	return Saved{
		Desired: m.Desired, Status: m.Status, State: m.State, Generation: m.Generation, Pid: m.Pid,
		Gate: m.Gate, Reason: m.Reason, Since: m.Since, StartedAt: m.StartedAt, NextStartAt: m.NextStartAt,
		Restarts: m.Restarts, LastExit: m.LastExit, Book: m.Book,
		Run: SavedRun{Deadline: m.run.deadline, Adopted: m.run.adopted, Started: m.run.started, Ran: m.run.ran, Exit: m.run.exit},
		Stop: SavedStop{
			ThenStart: m.stop.sequel == thenStart, Failure: m.stop.failure, Final: m.stop.final, Revive: m.stop.revive,
			Cause: m.stop.cause, By: m.stop.by, Began: m.stop.began, Budget: m.stop.budget,
			Asks: m.stop.asks, Next: m.stop.next,
		},
	}
}

// Continue is the machine that Save has saved, with the effects that set its
// timers again: what fell due meanwhile is due now. Nothing is recorded, as
// nothing has changed. What a component reported meanwhile was heard by nobody:
// its first report may name any state. A generation that was about to be
// launched and has no process yet is launched.
func Continue(saved Saved, now time.Time, p Policy) (Machine, []Effect) {
	s := stepper{m: saved.machine(), now: now, p: p}
	switch s.m.Status {
	case Starting:
		if s.m.StartedAt.IsZero() {
			s.do(Effect{Kind: DoLaunch})
		} else if deadline := s.m.run.deadline; !deadline.IsZero() {
			s.setTimer(TimerLaunch, deadline.Sub(now))
		}
	case Running:
		if after := p.Restart.ResetAfter; after > 0 {
			s.setTimer(TimerStable, s.m.Since.Add(after).Sub(now))
		}
	case Stopping:
		if s.m.stop.forced() {
			s.use(Kill)
		}
		s.armRung()
	case Backoff:
		s.setTimer(TimerBackoff, s.m.NextStartAt.Sub(now))
	}
	return s.m, s.out
}

func (v Saved) machine() Machine {
	m := Machine{
		Desired: v.Desired, Status: v.Status, State: v.State, Generation: v.Generation, Pid: v.Pid,
		Gate: v.Gate, Reason: v.Reason, Since: v.Since, StartedAt: v.StartedAt, NextStartAt: v.NextStartAt,
		Restarts: v.Restarts, LastExit: v.LastExit, Book: v.Book,
		run: run{
			deadline: v.Run.Deadline, started: v.Run.Started, exit: v.Run.Exit,
			ran:     v.Run.Ran,
			adopted: v.Run.Adopted, passed: v.Status.Live(),
		},
		stop: stop{
			failure: v.Stop.Failure, final: v.Stop.Final, revive: v.Stop.Revive, cause: v.Stop.Cause, by: v.Stop.By,
			began: v.Stop.Began, budget: v.Stop.Budget, asks: v.Stop.Asks,
			// What comes from outside must not lead out of the ladder.
			next: min(max(v.Stop.Next, 0), len(ladder(v.Stop.Asks))),
		},
	}
	if v.Stop.ThenStart {
		m.stop.sequel = thenStart
	}
	return m
}
