package component

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/handshake"
)

// Main runs c under its peer until it is told to stop, and never returns: call
// it from main with nothing before it. Without a peer it explains itself and
// exits 1.
func Main(info Info, c Component) { os.Exit(run(info, c)) }

func run(info Info, c Component) int {
	// A broken pipe on standard output or error ends a Go program unless it
	// asks to be told of the signal: the peer's end must not be the component's.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	r := newRuntime(context.Background(), info, c, process)
	current.Store(r)
	r.onSignals() // from before the handshake line on: a peer may change its mind at once
	server, err := handshake.Serve(handshake.Serving{
		Accept:   r.serve,
		Shutdown: func() { r.requestStop(defaultStopWait, "the host shuts its plugins down") },
	})
	if err != nil {
		_, _ = fmt.Fprintf(r.stderr, "%s %s: %v\n", info.Name, info.Version, err)
		return ExitFailed
	}
	code := r.live()
	r.hangUp()
	server.Close(time.Second)
	return code
}

// onSignals makes SIGTERM and SIGINT requests to stop, once and again alike,
// until the process has ended: the goroutine is never ended, as there must be
// no moment in which a signal kills.
func (r *runtime) onSignals() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for s := range signals {
			r.requestStop(defaultStopWait, s.String())
		}
	}()
}
