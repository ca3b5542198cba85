package supervisor

import (
	"context"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// message is what an actor's mailbox holds.
type message interface{ message() }

type (
	eventMsg struct {
		lifecycle.Event
		verdict chan<- error // of a report; nil otherwise
		serial  uint64       // of an event from the owner of the plan; 0 otherwise
	}
	timerMsg struct {
		timer      lifecycle.Timer
		serial     uint64
		generation uint64
	}
	healthMsg struct {
		generation uint64
		health     Health
		detail     string
	}
	respecMsg struct {
		spec *profiles.Spec
		live bool // only what can change without a restart differs
		by   string
	}
	saveYourselfMsg struct{ to chan<- Snapshot }
	retireMsg       struct{}
	saveMsg         struct{}
)

func (eventMsg) message()        {}
func (timerMsg) message()        {}
func (healthMsg) message()       {}
func (respecMsg) message()       {}
func (saveYourselfMsg) message() {}
func (retireMsg) message()       {}
func (saveMsg) message()         {}

// sink is the Sink of one generation.
type sink struct {
	a          *actor
	generation uint64
}

func (s sink) Emit(e lifecycle.Event) {
	e.Generation = s.generation
	s.a.mail.put(eventMsg{Event: e})
}

func (s sink) Report(ctx context.Context, e lifecycle.Event) error {
	e.Generation = s.generation
	verdict := make(chan error, 1)
	if !s.a.mail.put(eventMsg{Event: e, verdict: verdict}) {
		return ErrStopped
	}
	select {
	case err := <-verdict:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s sink) Health(h Health, detail string) {
	s.a.mail.put(healthMsg{generation: s.generation, health: h, detail: detail})
}
