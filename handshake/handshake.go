package handshake

import (
	"context"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
)

// Process is the side of a launched component that the host needs; whoever
// spawns it (the peer directly, or its keeper) provides it.
type Process interface {
	Pid() int
	// FirstLine yields the component's first stdout line, or an error when the
	// stream ended or ctx did before there was one. Called once.
	FirstLine(ctx context.Context) (string, error)
	Exited() <-chan struct{}
	// Belongs reports whether pid is part of the component's process tree.
	Belongs(pid int) bool
	// Kill ends the process by force.
	Kill()
}

// Host connects to a component through go-plugin.
type Host struct {
	Dir      string        // private folder (0700) of this instance; the only place an address may lie in
	Timeout  time.Duration // for the handshake line
	Versions []int         // transport versions; default {1}
}

// Env returns the variables a component must be given so that its handshake
// can be understood (cookie, versions, socket folder).
func (h *Host) Env() []string { panic("seam") }

// Connect waits for p's handshake line, connects, and returns the open
// channel. It never kills p and returns at once when p exits or ctx ends. The
// channel's end does not end p.
func (h *Host) Connect(ctx context.Context, p Process) (exchange.Channel, error) { panic("seam") }

// Version is a protocol version, major.minor.
type Version struct{ Major, Minor int }

// Range is an inclusive range of versions.
type Range struct{ Min, Max Version }

// Negotiate returns the highest version in both ranges.
func Negotiate(a, b Range) (Version, bool) { panic("seam") }
