package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-04209a44/peerd/exchange"
)

// Outcome is how a command ended that was to be sent to a channel of this node.
type Outcome string

// The outcomes.
const (
	OutcomeSucceeded Outcome = "succeeded"
	OutcomeError     Outcome = "error"     // the connector answered ERROR
	OutcomeTimeout   Outcome = "timeout"   // no answer in time
	OutcomeCancelled Outcome = "cancelled" // its caller wanted it no more
	OutcomeRefused   Outcome = "refused"   // not sent: the channel's window or size limit
	OutcomeUnhandled Outcome = "unhandled" // UNKNOWN or NO_REPLY
	OutcomeLost      Outcome = "lost"      // the channel ended
)

// tally counts since the controller was made. The zero value is ready.
type tally struct {
	commands [len(outcomes)]atomic.Uint64

	mu     sync.Mutex
	events map[EventKind]uint64
}

var outcomes = [...]Outcome{
	OutcomeSucceeded, OutcomeError, OutcomeTimeout, OutcomeCancelled, OutcomeRefused, OutcomeUnhandled, OutcomeLost,
}

// command counts one command by what its caller got.
func (t *tally) command(reply exchange.Reply, err error) {
	t.commands[slices.Index(outcomes[:], outcomeOf(reply, err))].Add(1)
}

func outcomeOf(reply exchange.Reply, err error) Outcome {
	switch {
	case err == nil && reply.Status == exchange.Succeeded:
		return OutcomeSucceeded
	case err == nil:
		return OutcomeError
	case errors.Is(err, exchange.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return OutcomeTimeout
	case errors.Is(err, exchange.ErrUnknown), errors.Is(err, exchange.ErrNoReply):
		return OutcomeUnhandled
	case errors.Is(err, exchange.ErrBusy), errors.Is(err, exchange.ErrTooLarge), errors.Is(err, exchange.ErrDuplicate):
		return OutcomeRefused
	case errors.Is(err, exchange.ErrClosed):
		return OutcomeLost
	}
	return OutcomeCancelled
}

func (t *tally) event(kind EventKind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.events == nil {
		t.events = make(map[EventKind]uint64)
	}
	t.events[kind]++
}

// totals returns the counts; outcomes that have not occurred are there, with 0.
func (t *tally) totals() (commands map[Outcome]uint64, events map[EventKind]uint64) {
	commands = make(map[Outcome]uint64, len(outcomes))
	for i, o := range outcomes {
		commands[o] = t.commands[i].Load()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return commands, maps.Clone(t.events)
}
