package lifecycle

import "time"

// start: wanted where nothing lives. Crashes are forgotten: who starts it by
// hand starts it with a clean slate.
func start(s *stepper) {
	s.m.Desired = Up
	s.forgive()
	s.launchOrWait(s.cause(CauseCommand), s.e.By)
}

func (s *stepper) forgive() { s.m.Book, s.m.Restarts = Book{}, 0 }

// rest: unwanted where nothing lives.
func rest(s *stepper) {
	s.m.Desired = Down
	s.m.Reason, s.m.NextStartAt = "", time.Time{}
	s.move(Stopped, Transition{Cause: s.cause(CauseCommand), By: s.e.By})
}

// goDown: unwanted where it lives.
func goDown(s *stepper) {
	s.m.Desired = Down
	s.leave(stop{cause: s.cause(CauseCommand), by: s.e.By}, s.e.Detail)
	s.climb()
}

// kill: unwanted, and no patience.
func kill(s *stepper) {
	s.m.Desired = Down
	s.leave(stop{cause: s.cause(CauseCommand), by: s.e.By}, "by force")
	s.force()
}

// cycle: down and up again.
func cycle(s *stepper) {
	s.forgive()
	s.leave(stop{sequel: thenStart, cause: s.cause(CauseCommand), by: s.e.By}, s.e.Detail)
	s.climb()
}

// again: wanted up while on its way down. However often it is said, one start
// follows when the tree is gone.
func again(s *stepper) {
	s.forgive()
	if s.m.Desired == Up && s.m.stop.sequel == thenStart {
		return
	}
	s.m.Desired, s.m.stop.sequel = Up, thenStart
	s.m.stop.cause, s.m.stop.by = s.cause(CauseCommand), s.e.By
	s.move(Stopping, Transition{Cause: s.m.stop.cause, By: s.e.By, Detail: "starts again when it is gone"})
}

// stayDown: unwanted while on its way down. The budget goes on.
func stayDown(s *stepper) {
	if s.m.Desired == Down {
		return
	}
	s.m.Desired = Down
	s.move(Stopping, Transition{Cause: s.cause(CauseCommand), By: s.e.By, Detail: "stays down when it is gone"})
}

// hasten: a way down in progress loses its patience.
func hasten(s *stepper) {
	s.m.Desired = Down
	s.move(Stopping, Transition{Cause: s.cause(CauseCommand), By: s.e.By, Detail: "by force"})
	s.force()
}

func openGate(s *stepper) { s.m.Gate = "" }

// proceed: what it waited for is there.
func proceed(s *stepper) {
	s.m.Gate = ""
	s.launch(s.cause(CauseDependency), s.e.By)
}

func closeGate(s *stepper) {
	s.m.Gate = s.e.Detail
	if s.m.Gate == "" {
		s.m.Gate = "its gate is closed"
	}
	if s.m.Status == Waiting {
		s.m.Reason = s.m.Gate
	}
}

// retreat: a hard dependency died. It stops, stays wanted, and waits.
func retreat(s *stepper) {
	closeGate(s)
	s.leave(stop{sequel: thenStart, cause: s.cause(CauseDependency), by: s.e.By}, s.m.Gate)
	s.climb()
}

// revive: it lives but does not work. That counts as a crash.
func revive(s *stepper) {
	failure := "unhealthy"
	if s.e.Detail != "" {
		failure += ": " + s.e.Detail
	}
	s.leave(stop{failure: failure, revive: true, cause: s.cause(CauseHealth), by: s.e.By}, failure)
	s.climb()
}

// giveUp: it lives, and what it belongs to has failed. It stays wanted, so that
// its failure is seen, and only an operator starts it again.
func giveUp(s *stepper) {
	why := s.givenUp()
	s.leave(stop{failure: why, final: true, cause: s.cause(CauseDependency), by: s.e.By}, why)
	s.climb()
}

// giveUpToo: it is on its way down already; whatever was to follow does not.
// Who is unwanted stays so.
func giveUpToo(s *stepper) {
	if s.m.Desired == Down {
		return
	}
	s.m.stop.sequel, s.m.stop.final = thenPolicy, true
	s.m.stop.failure = s.givenUp()
	s.move(Stopping, Transition{Cause: s.cause(CauseDependency), By: s.e.By, Detail: s.m.stop.failure})
}

// resign: it was to start again, and does not.
func resign(s *stepper) {
	s.m.Reason, s.m.NextStartAt = s.givenUp(), time.Time{}
	s.move(Failed, Transition{Cause: s.cause(CauseDependency), By: s.e.By, Detail: s.m.Reason})
}

func (s *stepper) givenUp() string {
	if s.e.Detail == "" {
		return "what it belongs to has failed"
	}
	return s.e.Detail
}
