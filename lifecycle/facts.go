package lifecycle

import (
	"fmt"
	"time"
)

// spawned: the process lives; from here the launch has its deadline.
func spawned(s *stepper) {
	if !s.m.StartedAt.IsZero() {
		s.goOn()
		return
	}
	s.born()
	s.armLaunch()
}

// goOn: a program that puts itself into the background goes on as another
// process. The deadline stands.
func (s *stepper) goOn() {
	if s.e.Pid == s.m.Pid {
		return // said twice
	}
	s.m.Pid = s.e.Pid
	s.note(CauseStatus, "goes on in the background")
}

// armLaunch gives the launch its deadline.
func (s *stepper) armLaunch() {
	if s.p.LaunchTimeout > 0 {
		s.m.run.deadline = s.now.Add(s.p.LaunchTimeout)
		s.setTimer(TimerLaunch, s.p.LaunchTimeout)
	}
}

// spawnedLate: it was told to stop before it lived. What was ordered then
// may have met nothing, so it is ordered again.
func spawnedLate(s *stepper) {
	if !s.m.StartedAt.IsZero() {
		return
	}
	s.born()
	if next := s.m.stop.next; next > 0 {
		s.use(ladder(s.m.stop.asks)[next-1].Action)
	}
}

func (s *stepper) born() {
	s.m.Pid, s.m.StartedAt = s.e.Pid, s.now
	s.note(CauseStatus, "spawned")
}

// notSpawned: the generation ends without having lived.
func notSpawned(s *stepper) {
	if s.e.Permanent {
		s.m.stop.final = true
	}
	s.finish(Exit{Code: -1, Reason: "not spawned: " + s.e.Detail}, true)
}

// report: the component's own word, judged by its table.
func report(s *stepper) {
	to := s.e.State
	switch {
	case !s.p.CCP:
		s.reject("component has no CCP channel")
	case to == NoState || int(to) >= len(stateNext):
		s.reject(fmt.Sprintf("unknown %v", to))
	case to == s.m.State: // information
		s.m.run.adopted, s.m.run.passed = false, false
	case s.m.State.MayReport(to), s.m.run.adopted:
		s.m.State, s.m.run.adopted, s.m.run.passed = to, false, false
		s.follow()
	case !s.m.run.passed:
		s.reject(s.m.State.rejection(to))
	default:
		s.note(CauseRecovery, "it went on while peerd was replaced")
		s.m.State, s.m.run.passed = to, false
		s.follow()
	}
}

// follow draws the consequences of a state that was accepted.
func (s *stepper) follow() {
	switch to := s.m.State; {
	case to == Execution && s.m.Status == Starting:
		s.running(CauseStatus, s.e.Detail)
	case to >= StopTimeWait && s.m.Status != Stopping:
		s.leave(stop{cause: CauseStatus}, s.e.Detail)
		s.m.stop.next = 1 // it is stopping already: there is nothing to ask for
		s.climb()
	default:
		s.note(CauseStatus, s.e.Detail)
	}
}

// reject refuses a report. The history shows it; nothing else changes.
func (s *stepper) reject(why string) {
	s.note(CauseStatus, "rejected report: "+why)
	s.do(Effect{Kind: DoRejectReport, Detail: why})
}

// extend: the launch makes progress, and its deadline moves, up to the cap.
func extend(s *stepper) {
	if s.m.run.deadline.IsZero() {
		return
	}
	by := s.e.Extend
	if by <= 0 {
		by = s.p.LaunchTimeout
	}
	hard := s.m.StartedAt.Add(max(s.p.LaunchCap, s.p.LaunchTimeout))
	deadline := s.now.Add(by)
	if deadline.After(hard) {
		deadline = hard
	}
	if deadline.After(s.m.run.deadline) {
		s.m.run.deadline = deadline
		s.setTimer(TimerLaunch, deadline.Sub(s.now))
	}
}

// ready: a plain process is started. A component says so itself, by EXECUTION.
func ready(s *stepper) {
	if !s.p.CCP {
		s.running(CauseStatus, s.e.Detail)
	}
}

// refused: the component cannot be used, so it is ended by force.
func refused(s *stepper) {
	failure := "refused"
	if s.e.Detail != "" {
		failure += ": " + s.e.Detail
	}
	s.leave(stop{failure: failure, final: s.e.Permanent, cause: CauseStatus}, failure)
	s.force()
}

// askFailed: it cannot be asked, so the signal takes its turn at once.
func askFailed(s *stepper) {
	if s.m.stop.forced() || ladder(s.m.stop.asks)[s.m.stop.next].Action != Signal {
		return
	}
	s.note(CauseStatus, "cannot be asked to stop, is signalled: "+s.e.Detail)
	s.signalNow()
}

// exited: the leader ended by itself. What it left behind is killed.
func exited(s *stepper) {
	if s.e.TreeEmpty {
		s.finish(s.e.Exit, false)
		return
	}
	x := s.e.Exit
	s.leave(stop{cause: CauseExit}, x.String()+", and left processes behind")
	s.m.run.exit = &x
	s.force()
}

// exitedDown: the leader ended on its way down. What it left behind gets what
// remains of the ladder, beginning with the signal.
func exitedDown(s *stepper) {
	if s.e.TreeEmpty {
		s.finish(s.e.Exit, false)
		return
	}
	if s.m.run.exit != nil {
		return
	}
	x := s.e.Exit
	s.m.run.exit = &x
	s.note(CauseExit, s.e.Exit.String()+", and left processes behind")
	s.signalNow()
}

// gone: nothing is left of the generation.
func gone(s *stepper) {
	reason := s.e.Detail
	if reason == "" {
		reason = "its end was not seen"
	}
	s.finish(Exit{Code: -1, Reason: reason}, false)
}

// unkillable: force did not help. It stays Stopping, so no twin can be started.
func unkillable(s *stepper) {
	reason := "unkillable: " + s.e.Detail
	if s.m.Reason == reason {
		return
	}
	s.m.Reason = reason
	s.note(CauseTimeout, reason)
}

// noted: it is remembered, and that is all.
func noted(s *stepper) { s.note(CauseStatus, s.e.Detail) }

// launchTimeout: it was not started in time; that is a failure.
func launchTimeout(s *stepper) {
	if s.m.run.deadline.IsZero() {
		return
	}
	if left := s.m.run.deadline.Sub(s.now); left > 0 {
		s.setTimer(TimerLaunch, left)
		return
	}
	where := ""
	if s.m.State != NoState {
		where = " (in " + s.m.State.String() + ")"
	}
	took := s.now.Sub(s.m.StartedAt).Round(time.Millisecond)
	failure := fmt.Sprintf("not started within %v%s", took, where)
	s.leave(stop{failure: failure, cause: CauseTimeout}, failure)
	s.force()
}

// nextRung: the stop's patience ran out, in part or in full.
func nextRung(s *stepper) {
	down := &s.m.stop
	if down.forced() || down.due(ladder(down.asks)[down.next]).After(s.now) {
		s.climb()
		return
	}
	spent := s.now.Sub(down.began).Round(time.Millisecond)
	what := "signalled"
	if ladder(down.asks)[down.next].Action == Kill {
		what = "killed by force"
	}
	s.note(CauseTimeout, fmt.Sprintf("not stopped after %v of %v, is %s", spent, down.budget, what))
	s.climb()
}

// retry: the backoff is over.
func retry(s *stepper) {
	if left := s.m.NextStartAt.Sub(s.now); left > 0 {
		s.setTimer(TimerBackoff, left)
		return
	}
	s.m.Restarts++
	s.launchOrWait(CauseExit, "")
}

// stable: it ran long enough for the backoff to start over.
func stable(s *stepper) {
	s.m.Book = s.m.Book.afterRun(s.p.Restart, s.now.Sub(s.m.Since))
}
