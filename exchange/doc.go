// Package exchange is the command-reply exchange: the symmetric core on which
// everything that crosses a process boundary travels.
//
// A Channel carries frames, each one a Command or a Reply. An Endpoint is one
// side of a channel. Both sides are alike: either sends commands, either answers
// them. This package has the in-memory channel, Pipe; the packages below it have
// the transports.
//
// # Answering
//
// Handlers are registered by command type on a Mux, once, before any endpoint
// runs:
//
//	mux := &exchange.Mux{}
//	mux.Handle("ECHO", func(ctx context.Context, req *exchange.Request) (any, error) {
//		return req.Payload, nil
//	})
//
// What a handler returns becomes the payload of the SUCCEEDED reply; its error
// becomes an ERROR reply. Request.Progress sends intermediate replies before.
//
// # Calling
//
//	endpoint := exchange.NewEndpoint(ch, exchange.Options{Handlers: mux})
//	go endpoint.Run(ctx)
//	reply, err := endpoint.Call(ctx, cmd)
//
// Every call has exactly one outcome: the terminal reply, or an error. The error
// says that there is no answer (ErrTimeout, ErrClosed, ErrBusy, ErrUnknown,
// ErrNoReply, ErrTooLarge, ErrSlowConsumer, the context's own); a reply with
// status ERROR is an answer, and Reply.Err turns it into an error where that is
// wanted. Stream is Call with the intermediate replies.
//
// # Concurrency
//
// Run owns two goroutines: one receives, one sends what is queued. The receiving
// one never waits for a handler, a consumer or the transport, so neither a slow
// handler nor two sides that flood each other can stop a channel. A call waits in
// the queue, not in the transport, and so never longer than its context. Each command of the
// other side is handled in a goroutine of its own, so commands are handled
// concurrently and in no particular order; types whose order matters are
// registered with Mux.HandleOrdered. The intermediate replies of one command
// arrive in the order they were sent, before its terminal one.
//
// Run waits for all it started. When a channel ends, the contexts of its
// handlers end; a handler that does not heed its context holds Run up.
//
// Everything is bounded: Options.Window commands in flight each way,
// Options.StreamBuffer replies waiting for one slow Stream, and Options.MaxBytes
// of payload for either. Reaching a bound is
// an error to the one concerned, an Event and a counter; it never blocks others.
//
// # Connectors
//
// A Connector keeps one channel to a controller: it dials, says HELLO, answers
// what keeps the channel (HEALTH_CHECK, PRIMARY, GOOD_BYE), and comes back after
// an end, with a pause that grows and varies. Its Run ends only with its context,
// with a GOOD_BYE for good, or when the controller refuses it. Welcome is the
// controller's part of the opening. A ReplyCache on the Mux keeps a command that
// is sent again from having a second effect.
//
// The rules for authors in other languages are in spec.md.
package exchange
