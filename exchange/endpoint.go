package exchange

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Options.
const (
	DefaultWindow       = 256
	DefaultTimeout      = 60 * time.Second
	DefaultStreamBuffer = 1024
	DefaultMaxBytes     = 64 << 20
)

// lingerTime bounds how long Close goes on sending what is queued already, and
// how long the channel may take to tell why a Send failed.
const lingerTime = time.Second

// outQueue is how many frames wait for the writer before senders block.
const outQueue = 32

// Options of an Endpoint; the zero value is usable.
type Options struct {
	Handlers     *Mux          // answers to the other side's commands; nil: every one is UNKNOWN
	Window       int           // commands in flight in each direction; default 256
	Refuse       bool          // over the window: fail with ErrBusy instead of waiting
	Timeout      time.Duration // of a call whose context has no deadline; default 60s
	StreamBuffer int           // intermediate replies that may wait for one Stream; default 1024
	MaxBytes     int           // payload bytes of the commands being handled, and of the replies waiting for one Stream; one alone may be larger; default 64 MiB
	Observe      func(Event)   // typed events (late replies, panics, drops); must not block
}

// EventKind names what an Endpoint observed.
type EventKind uint8

// What an Endpoint can observe.
const (
	LateReply        EventKind = iota // a reply that nobody waits for: counted and dropped
	HandlerPanic                      // Detail has the panic and its stack
	ExpiredCommand                    // arrived after its deadline: not run
	Overload                          // refused because the window or the bytes for it were full
	DuplicateCommand                  // its ID is being handled already: dropped, the first one's reply answers it
	Malformed                         // a frame without command and reply, or without ID: dropped
	TooLarge                          // a reply over the channel's limit: replaced by an ERROR
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
	Sent, Received, Late, Panics, Expired, Refused, Dropped uint64
	InFlight, Handling                                      int
}

// Endpoint is one side of a channel; both sides are alike. Its methods may be
// called from any goroutine. Run does the work: one goroutine receives, one sends
// what is queued, and each command of the other side is handled in a goroutine of
// its own, which sends its reply itself when nothing else is being sent.
type Endpoint struct {
	ch Channel
	o  Options

	slots   chan struct{} // one per outbound command in flight
	out     chan outgoing // to the writer
	wake    chan struct{} // control has frames
	room    chan struct{} // control has room again
	closing chan struct{} // Close was called
	gone    chan struct{} // nothing will be sent or received any more
	done    chan struct{} // Run has returned
	wg      sync.WaitGroup
	sending sync.Mutex // held during ch.Send

	sent, received, late, panics, expired, refused, dropped atomic.Uint64

	mu       sync.Mutex // guards all below
	running  bool
	shut     bool
	closed   bool
	code     int              // of the close
	why      string           // of the close
	broken   error            // why sending ended
	err      error            // why the channel ended
	calls    map[string]*call // ours, by command ID
	work     map[string]*work // theirs, by command ID
	bytes    int              // payloads of work
	ordered  []*work          // theirs, waiting for their turn; the first is running
	control  []Frame          // cancels and refusals; they overtake everything else
	handlers context.Context  // parent of every handler's context
	stop     context.CancelFunc
	linger   *time.Timer // closes ch in any case once Close was called or a Send failed
}

// NewEndpoint makes an endpoint on ch. Run must be called exactly once.
func NewEndpoint(ch Channel, o Options) *Endpoint {
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.StreamBuffer <= 0 {
		o.StreamBuffer = DefaultStreamBuffer
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	return &Endpoint{
		ch: ch, o: o,
		slots:   make(chan struct{}, o.Window),
		out:     make(chan outgoing, outQueue),
		wake:    make(chan struct{}, 1),
		room:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		gone:    make(chan struct{}),
		done:    make(chan struct{}),
		calls:   make(map[string]*call),
		work:    make(map[string]*work),
	}
}

// Run receives until the channel ends or ctx does, then closes the channel
// (with CloseTryAgain if ctx ended, where the transport has codes),
// fails every waiting call with ErrClosed, cancels the running handlers, waits
// for them, and returns why it ended (nil after an orderly close by either side).
func (e *Endpoint) Run(ctx context.Context) error {
	handlers, cancel := context.WithCancel(ctx)
	defer cancel()
	e.begin(handlers, cancel)
	defer close(e.done)
	unhook := context.AfterFunc(ctx, func() { CloseWith(e.ch, CloseTryAgain, "stopping") })
	e.wg.Go(e.write)
	err := e.end(ctx, e.receive())
	if err != nil {
		CloseWith(e.ch, CloseInternal, "")
	}
	e.ch.Close()
	unhook()
	cancel()
	e.wg.Wait()
	e.forget()
	return err
}

func (e *Endpoint) begin(handlers context.Context, stop context.CancelFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		panic("exchange: Endpoint.Run called twice")
	}
	e.running, e.handlers, e.stop = true, handlers, stop
}

// receive is the one goroutine that calls Recv. It never waits for a handler,
// for a slow consumer, or for the transport to take a frame.
func (e *Endpoint) receive() error {
	for {
		f, err := e.ch.Recv()
		if err != nil {
			return err
		}
		e.received.Add(1)
		switch {
		case f.Command != nil && f.Reply == nil:
			if err := e.command(f.Command); err != nil {
				return err
			}
		case f.Reply != nil && f.Command == nil:
			e.reply(f.Reply)
		default:
			e.drop(Event{Kind: Malformed, Detail: "a frame is exactly one of command and reply"})
		}
	}
}

// end fails all calls, lets nothing new begin, and returns why it ended.
func (e *Endpoint) end(ctx context.Context, err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shut, e.err = true, e.reason(ctx, err)
	for _, c := range e.calls {
		e.settle(c, Reply{}, ErrClosed)
	}
	close(e.gone)
	return e.err
}

// reason chooses from the several things that may have ended the channel; e.mu
// must be held.
func (e *Endpoint) reason(ctx context.Context, err error) error {
	switch {
	case e.closed || errors.Is(err, io.EOF):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case e.broken != nil && errors.Is(err, ErrClosed):
		return e.broken
	}
	return err
}

// forget drops the replies that can no longer be sent.
func (e *Endpoint) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.work)
	e.bytes = 0
	e.control = nil
	if e.linger != nil {
		e.linger.Stop()
	}
}

// Close ends the channel in an orderly way; Run then returns nil. The contexts
// of running handlers end at once; their replies and all that is queued are
// still sent, for at most a second. Close does not wait: Done tells when
// everything has ended.
func (e *Endpoint) Close() error { return e.CloseWith(CloseNormal, "") }

// CloseWith is Close with a code for the other side, where the transport has
// codes. Only the first close counts.
func (e *Endpoint) CloseWith(code int, reason string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed, e.code, e.why = true, code, reason
	close(e.closing)
	if !e.running {
		return e.ch.Close()
	}
	e.stop()
	e.closeLater(code, reason)
	return nil
}

// closeLater closes the channel in a while, whatever happens; e.mu must be held.
func (e *Endpoint) closeLater(code int, reason string) {
	if e.linger == nil {
		e.linger = time.AfterFunc(lingerTime, func() { CloseWith(e.ch, code, reason) })
	}
}

// Ended is closed when the channel has ended; Err then tells why. Handlers may
// still be running: see Done.
func (e *Endpoint) Ended() <-chan struct{} { return e.gone }

// Err returns what Run will return, once Ended is closed.
func (e *Endpoint) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Done is closed when Run has returned.
func (e *Endpoint) Done() <-chan struct{} { return e.done }

// Stats returns the counters; safe for concurrent use.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	inFlight, handling := len(e.calls), len(e.work)
	e.mu.Unlock()
	return Stats{
		Sent: e.sent.Load(), Received: e.received.Load(), Late: e.late.Load(), Panics: e.panics.Load(),
		Expired: e.expired.Load(), Refused: e.refused.Load(), Dropped: e.dropped.Load(),
		InFlight: inFlight, Handling: handling,
	}
}

// drop counts and tells of a frame that has no effect.
func (e *Endpoint) drop(ev Event) {
	e.dropped.Add(1)
	e.o.Observe(ev)
}
