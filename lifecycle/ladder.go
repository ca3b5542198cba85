package lifecycle

import (
	"slices"
	"time"
)

// Action is what a rung of the stop ladder does.
type Action uint8

// The actions, each harder than the one before.
const (
	Ask    Action = iota // INITIATE_SHUTDOWN
	Signal               // the stop signal
	Kill                 // SIGKILL
)

// Rung is one step of the stop ladder: Action falls due when the share At of
// the stop budget is spent.
type Rung struct {
	Action Action
	At     float64
}

var (
	ccpLadder   = []Rung{{Ask, 0}, {Signal, 0.9}, {Kill, 1}}
	plainLadder = []Rung{{Signal, 0}, {Kill, 1}}
)

// Ladder returns the stop ladder of a component that can be asked (ccp) or of
// a plain process. All rungs share one budget, Policy.StopWait.
func Ladder(ccp bool) []Rung { return slices.Clone(ladder(ccp)) }

func ladder(ccp bool) []Rung {
	if ccp {
		return ccpLadder
	}
	return plainLadder
}

// due returns the instant at which rung falls due.
func (st *stop) due(rung Rung) time.Time {
	return st.began.Add(time.Duration(float64(st.budget) * rung.At))
}

// forced reports whether the last rung was used.
func (st *stop) forced() bool { return st.next == len(ladder(st.asks)) }

// climb does every rung that is due and sets the timer for the one to come.
// It returns the hardest action done.
func (s *stepper) climb() {
	rungs := ladder(s.m.stop.asks)
	for s.m.stop.next < len(rungs) && !s.m.stop.due(rungs[s.m.stop.next]).After(s.now) {
		s.use(rungs[s.m.stop.next].Action)
		s.m.stop.next++
	}
	s.armRung()
}

// armRung sets the timer for the rung to come.
func (s *stepper) armRung() {
	if s.m.stop.forced() {
		return
	}
	rung := ladder(s.m.stop.asks)[s.m.stop.next]
	s.setTimer(TimerRung, s.m.stop.due(rung).Sub(s.now))
}

// use carries out the action of one rung.
func (s *stepper) use(a Action) {
	switch a {
	case Ask:
		left := s.m.stop.began.Add(s.m.stop.budget).Sub(s.now)
		s.do(Effect{Kind: DoAsk, After: left, Detail: s.m.stop.reason()})
	case Signal:
		s.do(Effect{Kind: DoSignal, Detail: s.m.stop.reason()})
	case Kill:
		s.do(Effect{Kind: DoKill, Detail: s.m.stop.reason()})
	}
}

// signalNow climbs to the signal without waiting for its turn; the kill keeps
// its time. It reports false where the signal was used already.
func (s *stepper) signalNow() bool {
	rungs := ladder(s.m.stop.asks)
	if s.m.stop.forced() || rungs[s.m.stop.next].Action != Signal {
		return false
	}
	s.use(Signal)
	s.m.stop.next++
	s.climb()
	return true
}

// force climbs to the last rung at once.
func (s *stepper) force() {
	s.use(Kill)
	s.m.stop.next = len(ladder(s.m.stop.asks))
	s.do(Effect{Kind: DoStopTimer, Timer: TimerRung})
}

// reason says in a word why the generation is stopped.
func (st *stop) reason() string {
	if st.failure != "" {
		return st.failure
	}
	return st.cause.String()
}
