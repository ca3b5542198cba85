package supervisor

import (
	"context"
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// Launcher starts generations of instances. Launch returns at once and does
// its work behind the Handle; what happens is told to the Sink, in order,
// until EvSpawnFailed or the tree's end (EvExited with TreeEmpty, or EvGone),
// which is the last event of a generation. ctx ends when the supervisor lets
// go of the instance without stopping it.
type Launcher interface {
	Launch(ctx context.Context, spec *profiles.Spec, generation uint64, sink Sink) Handle
}

// Sink is where a launched generation reports. Its methods may be called from
// any goroutine.
type Sink interface {
	// Emit queues an event; it never blocks.
	Emit(lifecycle.Event)
	// Report queues the component's own report and waits for the verdict: an
	// error says why the report was refused. It ends with ctx.
	Report(ctx context.Context, e lifecycle.Event) error
	// Health tells what the health check says now; it never blocks.
	Health(h Health, detail string)
}

// Handle is a launched generation. Its methods return at once, are safe for
// concurrent use, and do nothing after the generation's end.
type Handle interface {
	// Ask sends INITIATE_SHUTDOWN; its failure comes back as EvAskFailed.
	Ask(budget time.Duration, reason string)
	// Signal sends sig to the whole tree.
	Signal(sig syscall.Signal)
	// Kill ends the whole tree by force; EvGone or EvUnkillable follow.
	Kill()
	// Release frees what the generation held; called once, after its last event
	// or when the supervisor lets go.
	Release()
}

// Commander is the optional power of a Handle to carry commands to the
// component.
type Commander interface {
	// Call sends cmd over the component's channel; ErrNoChannel without one.
	Call(ctx context.Context, cmd exchange.Command, progress func(exchange.Reply) error) (exchange.Reply, error)
	// ProtocolVersion is the negotiated CCP version, "" before the handshake.
	ProtocolVersion() string
}

// Monitor is the optional power of a Handle to check the health of a running
// generation.
type Monitor interface {
	StartHealth(spec *profiles.Spec)
	StopHealth()
}

// Updater is the optional power of a Handle to change a running generation
// (log levels, limits) to a spec that differs only in what can change live.
type Updater interface{ Update(spec *profiles.Spec) }

// Identifier is the optional power of a Handle to name its process durably;
// valid from EvSpawned on.
type Identifier interface{ Identity() []byte }

// Settler is the optional power of a Handle to be told that the end of its
// generation is on disk: nobody needs to remember it for the supervisor.
type Settler interface{ Settled() }

// Reattacher is the optional power of a Launcher to take up a generation that
// an earlier supervisor had launched. Of one that lives it emits EvRecovered;
// then, as of any, how it ends.
type Reattacher interface {
	Reattach(ctx context.Context, spec *profiles.Spec, a Adoption, sink Sink) Handle
}

// Adoption is what is known of a generation that is taken up.
type Adoption struct {
	Generation uint64
	Status     lifecycle.Status // as history left it
	State      lifecycle.State
	Live       []byte // what its Identifier said
	// Handed: the machine goes on by itself, and no EvRecovered is wanted.
	Handed bool
}
