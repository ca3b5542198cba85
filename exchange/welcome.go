package exchange

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrNoHello refuses a connector whose first frame is not HELLO.
var ErrNoHello = errors.New("the first command must be HELLO")

// Welcome is the controller's part of the opening: it takes the first frame of
// ch, which must be HELLO, lets decide answer it, and sends the reply. Run an
// endpoint on ch after it.
//
// What decide returns is the reply's payload. Its error refuses the connector for
// good: it is sent as an ERROR reply, on which a connector does not come back.
// For what is not the connector's fault (the controller's database is gone) wrap
// ErrTryAgain.
//
// Any failure has closed ch with the code for it: a wrong first frame, or none
// before ctx ends, with CloseProtocol, ErrTryAgain with CloseTryAgain, a panic of
// decide with CloseInternal.
func Welcome(ctx context.Context, ch Channel, decide Handler) (Command, error) {
	unhook := context.AfterFunc(ctx, func() { CloseWith(ch, CloseProtocol, "no HELLO in time") })
	defer unhook()
	f, err := ch.Recv()
	switch {
	case ctx.Err() != nil:
		return Command{}, fmt.Errorf("no HELLO in time: %w", ctx.Err())
	case err != nil:
		CloseWith(ch, CloseProtocol, "")
		return Command{}, fmt.Errorf("no HELLO: %w", err)
	case f.Command == nil || f.Command.Type != TypeHello:
		CloseWith(ch, CloseProtocol, ErrNoHello.Error())
		return Command{}, ErrNoHello
	}
	reply, code, err := answerHello(ctx, f.Command, decide)
	if code == CloseTryAgain || code == CloseInternal {
		CloseWith(ch, code, "")
		return Command{}, err
	}
	if sendErr := ch.Send(Frame{Reply: &reply}); sendErr != nil {
		CloseWith(ch, CloseInternal, "")
		return Command{}, fmt.Errorf("cannot answer HELLO: %w", sendErr)
	}
	if err != nil {
		CloseWith(ch, code, "refused")
		return Command{}, err
	}
	return *f.Command, nil
}

// answerHello asks decide. With an error comes the code to close the channel with.
func answerHello(ctx context.Context, cmd *Command, decide Handler) (reply Reply, code int, err error) {
	defer func() {
		if p := recover(); p != nil {
			code, err = CloseInternal, fmt.Errorf("cannot answer HELLO: panic: %v\n%s", p, debug.Stack())
		}
	}()
	v, err := decide(ctx, &Request{Command: *cmd, ReplyType: cmd.Type})
	switch {
	case errors.Is(err, ErrTryAgain):
		return Reply{}, CloseTryAgain, fmt.Errorf("not now: %w", err)
	case err != nil:
		return failure(cmd, details(err)), CloseNormal, fmt.Errorf("refused: %w", err)
	}
	payload, err := marshal(v)
	if err != nil {
		return Reply{}, CloseInternal, fmt.Errorf("cannot encode the reply to HELLO: %w", err)
	}
	return Reply{CommandID: cmd.ID, Type: cmd.Type, Status: Succeeded, Payload: payload, TraceParent: cmd.TraceParent}, 0, nil
}

// ErrTryAgain in the error of a Welcome's decide sends the connector away without
// refusing it: it comes back.
var ErrTryAgain = errors.New("try again later")
