package exchange

import (
	"context"
	"encoding/json"
	"time"
)

// Request is a command on its way through a Handler.
type Request struct {
	Command
	progress func(Reply) error
}

// Decode unmarshals the command's payload into v; an absent payload is {}.
func (r *Request) Decode(v any) error { panic("seam") }

// Progress sends an IN_PROGRESS reply with the given payload. It blocks while
// the channel is full and fails once the command is over.
func (r *Request) Progress(payload any) error { panic("seam") }

// Mux maps command types to handlers. Register everything before the first
// Dispatch; after that it is read-only and safe for concurrent use.
type Mux struct {
	handlers map[string]Handler
	known    map[string]bool
}

// Handle registers h for commands of the given type; a second registration of
// one type panics, as it is a programming error.
func (m *Mux) Handle(typ string, h Handler) { panic("seam") }

// Know marks types as part of the vocabulary without a handler here: they are
// answered NO_REPLY, where an unmarked type is answered UNKNOWN.
func (m *Mux) Know(types ...string) { panic("seam") }

// Dispatch runs the handler of cmd to its end, isolates its panic, and returns
// the one terminal reply. progress (may be nil) gets the intermediate ones.
// It is the one way into handlers: endpoints and the HTTP façade both use it.
func (m *Mux) Dispatch(ctx context.Context, cmd Command, progress func(Reply) error) Reply {
	panic("seam")
}

// Options of an Endpoint; the zero value is usable.
type Options struct {
	Handlers *Mux          // answers to the other side's commands; nil: every one is UNKNOWN
	Window   int           // commands in flight in each direction; default 256
	Refuse   bool          // over the window: fail with ErrBusy instead of waiting
	Timeout  time.Duration // of a call whose context has no deadline; default 60s
	Observe  func(Event)   // typed events (late replies, panics, drops); must not block
}

// EventKind names what an Endpoint observed.
type EventKind uint8

// What an Endpoint can observe.
const (
	LateReply EventKind = iota // a reply that nobody waits for: counted and dropped
	HandlerPanic
	ExpiredCommand // arrived after its deadline: not run
	Overload       // refused because the window was full
)

// Event tells the edge what the core saw, so that the edge can log it.
type Event struct {
	Kind   EventKind
	Type   string // of the command or reply
	ID     string // of the command
	Detail string
}

// Stats are counters since the endpoint was made.
type Stats struct {
	Sent, Received, Late, Panics, Expired, Refused uint64
	InFlight, Handling                             int
}

// Endpoint is one side of a channel; both sides are alike.
type Endpoint struct{}

// NewEndpoint makes an endpoint on ch. Run must be called exactly once.
func NewEndpoint(ch Channel, o Options) *Endpoint { panic("seam") }

// Run receives until the channel ends or ctx does, then closes the channel,
// fails every waiting call with ErrClosed, cancels the running handlers, waits
// for them, and returns why it ended (nil after an orderly close by either side).
func (e *Endpoint) Run(ctx context.Context) error { panic("seam") }

// Call sends cmd and waits for its terminal reply, dropping intermediate ones.
// A missing ID is filled in; ctx's deadline (or Options.Timeout) travels as
// ExpiresAt. When ctx ends first, a CANCEL is sent and ErrTimeout or ctx's
// error returned. An ERROR reply is a value, not an error: see Reply.Err; only
// UNKNOWN and NO_REPLY come back as ErrUnknown and ErrNoReply.
func (e *Endpoint) Call(ctx context.Context, cmd Command) (Reply, error) { panic("seam") }

// Stream is Call that hands every intermediate reply to each, in order. An
// error from each cancels the command and is returned.
func (e *Endpoint) Stream(ctx context.Context, cmd Command, each func(Reply) error) (Reply, error) {
	panic("seam")
}

// Close ends the channel in an orderly way; Run then returns nil.
func (e *Endpoint) Close() error { panic("seam") }

// Done is closed when Run has returned.
func (e *Endpoint) Done() <-chan struct{} { panic("seam") }

// Stats returns the counters; safe for concurrent use.
func (e *Endpoint) Stats() Stats { panic("seam") }

// Pipe returns two ends of an in-memory channel: unbuffered order-preserving,
// without serialization; frames must not be changed once sent.
func Pipe() (a, b Channel) { panic("seam") }

// NewCommand builds a command with a fresh ID and v as JSON payload (nil: {}).
func NewCommand(typ string, v any) (Command, error) {
	p, err := json.Marshal(v)
	_ = p
	panic(err)
}
