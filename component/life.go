package component

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
)

// Exit codes of a component's process.
const (
	ExitOK     = 0
	ExitFailed = 1  // a method returned an error, or there is no peer
	ExitPanic  = 70 // a method panicked
)

// step is one state on the way up, with what is done in it.
type step struct {
	state lifecycle.State
	do    func(context.Context) error
}

// live walks the states and returns the exit code. It begins once a peer is
// attached and greeted.
func (r *runtime) live() int {
	if _, err := r.link.wait(r.wanted); err != nil {
		return ExitOK // told to stop before anything began
	}
	for _, s := range r.wayUp() {
		r.enter(r.wanted, s.state)
		if r.wanted.Err() == nil && s.do != nil {
			if err := guard(r.wanted, s.do); err != nil && !r.calledOff(err) {
				return r.fail(err, r.cleanUp)
			}
		}
		if r.wanted.Err() != nil {
			return r.cleanUp()
		}
	}
	r.enter(r.wanted, lifecycle.Execution)
	return r.execute()
}

func (r *runtime) wayUp() []step {
	up := []step{{lifecycle.Launch, nil}, {lifecycle.Configuration, r.configure}, {lifecycle.Connect, nil}, {lifecycle.Start, nil}}
	if c, ok := r.component.(Connecter); ok {
		up[2].do = c.Connect
	}
	if c, ok := r.component.(Starter); ok {
		up[3].do = c.Start
	}
	return up
}

func (r *runtime) configure(ctx context.Context) error {
	cfg, levels, err := r.fetchConfig(ctx)
	if err != nil {
		return err
	}
	if err := r.loggers.preset(levels); err != nil {
		return err
	}
	if c, ok := r.component.(Configurer); ok {
		return c.Configure(ctx, cfg)
	}
	return nil
}

// execute runs Execute until it returns or the component is told to stop, and
// then goes the way down.
func (r *runtime) execute() int {
	ctx, cancel := context.WithCancel(r.base)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }()
		err = guard(ctx, r.component.Execute)
	}()
	select {
	case err := <-done:
		if err != nil {
			return r.fail(err, func() int { return r.wayDown(func() error { return nil }) })
		}
		return r.wayDown(func() error { return nil })
	case <-r.wanted.Done():
		return r.wayDown(func() error {
			cancel()
			return <-done
		})
	}
}

// wayDown goes through the STOP states. end makes Execute return and returns
// what it did.
func (r *runtime) wayDown(end func() error) int {
	ctx, cancel := r.budget()
	defer cancel()
	r.depart(lifecycle.StopTimeWait)
	if c, ok := r.component.(Drainer); ok && r.wanted.Err() != nil {
		if err := guard(ctx, c.Drain); isPanic(err) {
			return r.fail(err, nil)
		} else if err != nil {
			r.log.Warn("work in flight is not all done", "error", err)
			r.tell(r.status(ccp.Warning, "drain: "+err.Error()))
		}
	}
	err := end()
	if isPanic(err) {
		return r.fail(err, nil)
	}
	r.depart(lifecycle.StopExecution)
	if err != nil && !r.calledOff(err) {
		return r.fail(err, r.cleanUp)
	}
	return r.cleanUp()
}

// cleanUp is the last state.
func (r *runtime) cleanUp() int {
	ctx, cancel := r.budget()
	defer cancel()
	r.depart(lifecycle.StopCleanup)
	if c, ok := r.component.(Cleaner); ok {
		if err := guard(ctx, c.Cleanup); err != nil {
			return r.fail(err, nil)
		}
	}
	return ExitOK
}

// fail tells of err and goes on with then. After a panic nothing of the
// component is called again: nobody knows what state it is in.
func (r *runtime) fail(err error, then func() int) int {
	r.setFailure(err.Error())
	code := ExitFailed
	var p *panicError
	if errors.As(err, &p) {
		code = ExitPanic
		_, _ = fmt.Fprintf(r.stderr, "%s: %s\n\n%s\n", r.info.Name, p, p.stack)
	}
	r.log.Error("failed", "error", err)
	r.tell(r.status(ccp.Error, err.Error()))
	if then != nil && code != ExitPanic {
		code = max(code, then()) // which may panic in its turn
	}
	return code
}

// calledOff reports whether err is only the echo of the request to stop.
func (r *runtime) calledOff(err error) bool {
	return r.wanted.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, errStop))
}

// enter takes on a state of the way up and waits for a peer to acknowledge it,
// across the loss of peers if need be.
func (r *runtime) enter(ctx context.Context, s lifecycle.State) {
	r.setState(s)
	event := r.status(ccp.Information, "")
	err := r.link.do(ctx, func(client *ccp.Client) error {
		ctx, cancel := context.WithTimeout(ctx, ackTimeout)
		defer cancel()
		return client.Status(ctx, event)
	})
	if err != nil && ctx.Err() == nil {
		r.log.Warn("the peer did not accept a state", "state", s, "error", err)
	}
}

// depart takes on a state of the way down. A peer that is there is told; one
// that is not is not waited for.
func (r *runtime) depart(s lifecycle.State) {
	r.setState(s)
	r.tell(r.status(ccp.Information, ""))
}

// tell reports to the peer, if there is one. The stop budget does not bound it:
// a state is told even where the time for its work is over.
func (r *runtime) tell(e ccp.StatusEvent) {
	peer := r.link.now()
	if peer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.base, farewell)
	defer cancel()
	if err := ccp.NewClient(peer).Status(ctx, e); err != nil && !errors.Is(err, exchange.ErrClosed) {
		r.log.Warn("the peer did not accept a report", "state", e.State, "error", err)
	}
}

var errGoexit = errors.New("the method Execute ended its goroutine")

// panicError is a panic of the component as an error.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func isPanic(err error) bool {
	var p *panicError
	return errors.As(err, &p)
}

// guard calls f and turns its panic into an error.
func guard(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f(ctx)
}
