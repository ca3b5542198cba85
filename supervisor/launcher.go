package supervisor

import (
	"context"
	"encoding/json"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// Launcher starts generations of instances. Launch returns at once; what
// happens afterwards (Spawned, Report, Ready, Exited, Gone, …) is told through
// emit, in order, from any goroutine, until EvGone or EvSpawnFailed, which is
// the last one. emit never blocks.
type Launcher interface {
	Launch(ctx context.Context, spec *profiles.Spec, generation uint64, emit func(lifecycle.Event)) Handle
}

// Handle is a launched generation. Its methods return at once and are safe
// after the end.
type Handle interface {
	// Ask sends INITIATE_SHUTDOWN; its failure comes back as EvAskFailed.
	Ask(budget time.Duration, reason string)
	// Signal sends sig to the whole tree.
	Signal(sig syscall.Signal)
	// Kill kills the whole tree by force; EvGone or EvUnkillable follow.
	Kill()
	// Release is called after the last event; nothing may be left open then.
	Release()
}

// Commander is the optional power of a Handle to carry commands to the
// component (CCP).
type Commander interface {
	Call(ctx context.Context, cmd exchange.Command, progress func(exchange.Reply) error) (exchange.Reply, error)
	Version() string // negotiated protocol version; "" before the handshake
}

var _ = json.RawMessage(nil)
