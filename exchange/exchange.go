package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Status is the state of a command as its replies tell it.
type Status string

// The statuses of a reply. PENDING and IN_PROGRESS are intermediate; exactly
// one SUCCEEDED or ERROR ends a command.
const (
	Pending    Status = "PENDING"
	InProgress Status = "IN_PROGRESS"
	Succeeded  Status = "SUCCEEDED"
	Failed     Status = "ERROR"
)

// Terminal reports whether a reply with this status ends its command.
func (s Status) Terminal() bool { return s != Pending && s != InProgress }

// UnmarshalJSON reads a status; one that is not known counts as ERROR, so that
// no caller takes a word it does not understand for success.
func (s *Status) UnmarshalJSON(b []byte) error {
	switch known := Status(bytes.Trim(b, `"`)); known {
	case Pending, InProgress, Succeeded:
		*s = known
	default:
		*s = Failed
	}
	return nil
}

// Types that the exchange itself knows.
const (
	TypeUnknown = "UNKNOWN"  // reply to a command whose type nobody here knows
	TypeNoReply = "NO_REPLY" // reply to a known command that has no handler here
	// TypeOutcomeUnknown is an ERROR reply to a command that was interrupted and
	// came again: whether it had its effect cannot be said, so it was not run
	// again, and should not be by another connector.
	TypeOutcomeUnknown = "OUTCOME_UNKNOWN"
	TypeCancel         = "CANCEL" // command: stop working on {commandId}; never answered itself
)

// Command asks the other side of a channel to do something. The ID is the only
// correlation key; it stays the same when a command is sent again.
type Command struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`
	Payload        json.RawMessage `json:"payload,omitempty"`
	ExpiresAt      *time.Time      `json:"expiresAt,omitempty"`      // absolute; past it the command is not run
	Priority       int             `json:"priority,omitempty"`       // higher first where commands queue
	TraceParent    string          `json:"traceparent,omitempty"`    // W3C trace context
	IdempotencyKey string          `json:"idempotencyKey,omitempty"` // one effect per key
	Caller         string          `json:"caller,omitempty"`         // on whose behalf, as the sender says: for records, not for decisions
	Term           uint64          `json:"term,omitempty"`           // in which the sender is its target's primary; void in a later one
}

// Reply answers the command CommandID. A command may have many intermediate
// replies and has exactly one terminal one.
type Reply struct {
	CommandID    string          `json:"commandId"`
	Type         string          `json:"type"`
	Status       Status          `json:"commandStatus"`
	ErrorDetails string          `json:"errorDetails,omitempty"`
	Payload      json.RawMessage `json:"payload,omitempty"`
	TraceParent  string          `json:"traceparent,omitempty"`
}

// UnmarshalJSON reads a reply; a missing status counts as ERROR, like one that
// is not known.
func (r *Reply) UnmarshalJSON(b []byte) error {
	type plain Reply
	p := plain{Status: Failed}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*r = Reply(p)
	return nil
}

// Err returns a *ReplyError when the reply ends its command without success,
// else nil.
func (r Reply) Err() error {
	if r.Status == Succeeded || !r.Status.Terminal() {
		return nil
	}
	return &ReplyError{Type: r.Type, Details: r.ErrorDetails}
}

// Frame is what a channel carries: exactly one of its fields is set.
type Frame struct {
	Command *Command
	Reply   *Reply
}

// Channel carries frames between two endpoints. One goroutine may Send while
// another Recvs; Close may be called from any and makes both return.
type Channel interface {
	// Send hands one frame to the transport. It blocks while the transport is
	// full and fails once the channel is closed. An error that wraps
	// ErrTooLarge refuses this frame only; after any other the channel is dead.
	Send(Frame) error
	// Recv blocks for the next frame. io.EOF means that the other side closed
	// in an orderly way.
	Recv() (Frame, error)
	// Close ends the channel in both directions. It is idempotent.
	Close() error
}

// Handler answers one command. The value it returns becomes the payload of the
// SUCCEEDED reply (nil is {}), an error becomes an ERROR reply. ctx ends at the
// command's deadline, when the caller cancels, and when the endpoint stops. A
// panic fails its own command only.
type Handler func(ctx context.Context, req *Request) (any, error)

// Errors that a caller of Endpoint.Call may want to tell apart.
var (
	ErrClosed  = errors.New("channel closed")
	ErrBusy    = errors.New("too many commands in flight")
	ErrTimeout = errors.New("no reply in time")
	ErrUnknown = errors.New("command type unknown to the other side")
	ErrNoReply = errors.New("no handler for the command on the other side")

	// ErrSlowConsumer ends a Stream whose function takes replies more slowly
	// than they arrive, once Options.StreamBuffer or MaxBytes of them are waiting.
	ErrSlowConsumer = errors.New("intermediate replies arrive faster than they are taken")
	// ErrTooLarge refuses one frame that is over the transport's limit.
	ErrTooLarge = errors.New("message over the channel's size limit")
	// ErrDuplicate refuses a call whose ID is that of a call still in flight.
	ErrDuplicate = errors.New("a command with this id is in flight already")
)

// ReplyError is an ERROR reply as a Go error.
type ReplyError struct {
	Type    string // the reply's type
	Details string // errorDetails
}

// Error returns the details as the other side gave them.
func (e *ReplyError) Error() string { return e.Details }
