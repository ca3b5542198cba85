package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strings"
	"time"
)

// Request is a command on its way through a Handler.
type Request struct {
	Command
	// ReplyType is the type of the replies; a handler may change it before its
	// first reply. It starts as the command's own type.
	ReplyType string

	progress func(Reply) error
}

// Decode unmarshals the command's payload into v; an absent payload is {}.
func (r *Request) Decode(v any) error {
	if len(r.Payload) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Payload, v); err != nil {
		return fmt.Errorf("cannot read payload of %s: %w", r.Type, err)
	}
	return nil
}

// Progress sends an IN_PROGRESS reply with the given payload. It blocks while
// the channel is full and fails once the command is over. Calls from several
// goroutines are safe, but then their order is not defined.
func (r *Request) Progress(payload any) error {
	if r.progress == nil {
		return nil
	}
	p, err := marshal(payload)
	if err != nil {
		return fmt.Errorf("cannot encode progress of %s: %w", r.Type, err)
	}
	reply := Reply{CommandID: r.ID, Type: r.ReplyType, Status: InProgress, Payload: p, TraceParent: r.TraceParent}
	return r.progress(reply)
}

// Mux maps command types to handlers; the zero value is ready. Register
// everything before the first Dispatch; after that it is read-only and safe for
// concurrent use.
type Mux struct {
	// Observe is told of panics in handlers run by Dispatch itself; may be nil.
	// Endpoints tell their own Options.Observe instead.
	Observe func(Event)
	// Replies gives commands that are sent again one effect; may be nil.
	Replies *ReplyCache

	allow    func(Command) error // nil: all
	handlers map[string]Handler
	rest     Handler
	ordered  map[string]bool
	known    map[string]bool
}

// Handle registers h for commands of the given type; a second registration of
// one type panics, as it is a programming error. Commands of one channel are
// handled concurrently: see HandleOrdered.
func (m *Mux) Handle(typ string, h Handler) {
	if typ == "" || typ == TypeCancel || h == nil {
		panic(fmt.Sprintf("exchange: cannot register a handler for type %q", typ))
	}
	if m.handlers[typ] != nil {
		panic(fmt.Sprintf("exchange: type %q has a handler already", typ))
	}
	if m.handlers == nil {
		m.handlers = make(map[string]Handler)
	}
	m.handlers[typ] = h
}

// HandleRest registers h for the types that have no handler of their own and
// that Know did not name: for vocabularies that are not known beforehand. Where
// h returns ErrUnknown the answer is UNKNOWN, as if h were not there.
func (m *Mux) HandleRest(h Handler) {
	if h == nil || m.rest != nil {
		panic("exchange: cannot register this handler for the rest of the types")
	}
	m.rest = h
}

// handler returns who answers commands of the given type; nil: nobody.
func (m *Mux) handler(typ string) Handler {
	if h := m.handlers[typ]; h != nil || m.known[typ] {
		return h
	}
	return m.rest
}

// HandleOrdered is Handle for a type whose commands build on each other: on one
// endpoint all commands of all ordered types are handled one at a time, in the
// order of their arrival. Such a handler must be short and must not wait for
// another ordered command.
func (m *Mux) HandleOrdered(typ string, h Handler) {
	m.Handle(typ, h)
	if m.ordered == nil {
		m.ordered = make(map[string]bool)
	}
	m.ordered[typ] = true
}

// clone returns a copy that can be added to.
func (m *Mux) clone() *Mux {
	if m == nil {
		return &Mux{}
	}
	return &Mux{
		Observe: m.Observe, Replies: m.Replies, allow: m.allow, rest: m.rest,
		handlers: maps.Clone(m.handlers), ordered: maps.Clone(m.ordered), known: maps.Clone(m.known),
	}
}

// Guarded returns a copy of m that asks allow of each command before anything
// else: what it returns an error for is answered with that, be it a type that
// nobody here knows or one whose reply is known already. allow must not block.
func (m *Mux) Guarded(allow func(Command) error) *Mux {
	g := m.clone()
	g.allow = allow
	return g
}

// Know marks types as part of the vocabulary without a handler here: they are
// answered NO_REPLY, where an unmarked type is answered UNKNOWN.
func (m *Mux) Know(types ...string) {
	if m.known == nil {
		m.known = make(map[string]bool)
	}
	for _, t := range types {
		m.known[t] = true
	}
}

// Dispatch runs the handler of cmd to its end, isolates its panic, and returns
// the one terminal reply. progress (may be nil) gets the intermediate ones.
// An expired command is not run. It is the one way into handlers: endpoints and
// the HTTP façade both use it.
func (m *Mux) Dispatch(ctx context.Context, cmd Command, progress func(Reply) error) Reply {
	if reply, refused := m.refuse(&cmd); refused {
		return reply
	}
	if expired(&cmd) {
		return expiredReply(&cmd)
	}
	if cmd.ExpiresAt != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, *cmd.ExpiresAt)
		defer cancel()
	}
	observe := m.Observe
	if observe == nil {
		observe = func(Event) {}
	}
	return m.run(ctx, &cmd, progress, observe)
}

// refuse answers a command that is not allowed, or has no handler here.
func (m *Mux) refuse(cmd *Command) (Reply, bool) {
	if m != nil && m.allow != nil {
		if err := m.allow(*cmd); err != nil {
			return failure(cmd, details(err)), true
		}
	}
	switch {
	case m != nil && m.handler(cmd.Type) != nil:
		return Reply{}, false
	case m != nil && m.known[cmd.Type]:
		r := failure(cmd, "no handler for commands of type "+cmd.Type)
		r.Type = TypeNoReply
		return r, true
	default:
		return unknown(cmd), true
	}
}

// unknown is the reply to a command whose type nobody here knows.
func unknown(cmd *Command) Reply {
	r := failure(cmd, "Command unknown")
	r.Type, r.Payload = TypeUnknown, emptyObject
	return r
}

// run answers cmd, whose handler exists, from the cache of replies or by its handler.
func (m *Mux) run(ctx context.Context, cmd *Command, progress func(Reply) error, observe func(Event)) Reply {
	if m.Replies == nil {
		return m.call(ctx, cmd, progress, observe)
	}
	return m.Replies.do(ctx, cmd, func() Reply { return m.call(ctx, cmd, progress, observe) })
}

// call calls the handler and turns its outcome into a reply.
func (m *Mux) call(ctx context.Context, cmd *Command, progress func(Reply) error, observe func(Event)) (reply Reply) {
	req := &Request{Command: *cmd, ReplyType: cmd.Type, progress: progress}
	defer func() {
		if p := recover(); p != nil {
			observe(Event{
				Kind: HandlerPanic, Type: cmd.Type, ID: cmd.ID,
				Detail: fmt.Sprintf("%v\n%s", p, debug.Stack()),
			})
			reply = failure(cmd, "internal error: the handler of "+cmd.Type+" panicked")
		}
	}()
	v, err := m.handler(cmd.Type)(ctx, req)
	if errors.Is(err, ErrUnknown) && m.handlers[cmd.Type] == nil {
		return unknown(cmd)
	}
	if err == nil {
		var p json.RawMessage
		if p, err = marshal(v); err == nil {
			return Reply{CommandID: cmd.ID, Type: req.ReplyType, Status: Succeeded, Payload: p, TraceParent: cmd.TraceParent}
		}
		err = fmt.Errorf("cannot encode the reply to %s: %w", cmd.Type, err)
	}
	reply = failure(cmd, details(err))
	reply.Type = req.ReplyType
	return reply
}

// details is the text of err for the wire: its Details() where it has one.
func details(err error) string {
	if d, ok := err.(interface{ Details() string }); ok {
		return d.Details()
	}
	return err.Error()
}

// failure is a terminal ERROR reply to cmd.
func failure(cmd *Command, text string) Reply {
	return Reply{CommandID: cmd.ID, Type: cmd.Type, Status: Failed, ErrorDetails: text, TraceParent: cmd.TraceParent}
}

func expired(cmd *Command) bool {
	return cmd.ExpiresAt != nil && !time.Now().Before(*cmd.ExpiresAt)
}

func expiredReply(cmd *Command) Reply {
	return failure(cmd, expiredAt+cmd.ExpiresAt.UTC().Format(time.RFC3339Nano)+" and was not run")
}

// expiredAt begins the details of an expiredReply.
const expiredAt = "command expired at "

// saysExpired reports whether a command was refused as too late.
func saysExpired(r Reply) bool {
	return r.Status == Failed && strings.HasPrefix(r.ErrorDetails, expiredAt)
}
