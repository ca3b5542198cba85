package component

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/go-hclog"
)

// Component is what an author writes. Execute is the work: it runs while the
// state is COMPONENT_EXECUTION and returns when ctx ends (an orderly stop), or
// earlier with nil (the work is done) or an error (it failed).
//
// Everything else is optional and found by assertion; in the order of a life:
// Configurer, Connecter, Starter, then Execute, then Drainer, Cleaner; and at
// any time HealthChecker, Statser, LogLeveler, PrimaryAware, CommandHandler.
type Component interface {
	Execute(ctx context.Context) error
}

// Configurer gets its configuration in COMPONENT_CONFIGURATION.
type Configurer interface {
	Configure(ctx context.Context, cfg *Config) error
}

// Connecter opens its connections in COMPONENT_CONNECT.
type Connecter interface {
	Connect(ctx context.Context) error
}

// Starter prepares the work in COMPONENT_START.
type Starter interface {
	Start(ctx context.Context) error
}

// Drainer finishes work in flight in COMPONENT_STOP_TIME_WAIT; ctx ends with
// the stop budget. Execute's context ends after it.
type Drainer interface {
	Drain(ctx context.Context) error
}

// Cleaner closes what was opened, in COMPONENT_STOP_CLEANUP.
type Cleaner interface {
	Cleanup(ctx context.Context) error
}

// HealthChecker answers HEALTH_CHECK.
type HealthChecker interface {
	Healthy(ctx context.Context) (ok bool, detail string)
}

// Statser answers COMPONENT_STATS.
type Statser interface {
	Stats() map[string]float64
}

// LogLeveler is told when SET_LOGLEVEL changed a logger.
type LogLeveler interface {
	SetLogLevel(logger, level string)
}

// PrimaryAware is told whether it is the primary of its target.
type PrimaryAware interface {
	Primary(primary bool, term uint64)
}

// CommandHandler answers commands the protocol does not know. progress sends
// an intermediate reply. Return ErrUnknownCommand for types that are not its.
type CommandHandler interface {
	HandleCommand(ctx context.Context, typ string, payload json.RawMessage, progress func(any) error) (any, error)
}

// Config is what the peer says of this instance.
type Config struct {
	Address    string                     // application__version__instance
	Values     map[string]any             // the profile's `config`
	Arguments  map[string]string          // runtime arguments
	Named      map[string]json.RawMessage // NAMED_CONFIGURATION
	Secrets    map[string]string
	Properties map[string]any // MANAGEABLE_PROPERTIES
}

// Decode unmarshals Values into v, strictly: unknown keys are an error.
func (c *Config) Decode(v any) error { panic("seam") }

// Info names the component.
type Info struct {
	Name    string   // root logger's name
	Version string   // of the component itself
	Loggers []string // names known from the start; more appear as they are made
}

// Main runs c under its peer until it is told to stop, and never returns: call
// it from main with nothing before it. Without a peer it explains itself and
// exits 1.
func Main(info Info, c Component) { panic("seam") }

// Logger returns the logger of that name ("" is root); its level is changed at
// run time by SET_LOGLEVEL. Safe for concurrent use.
func Logger(name string) hclog.Logger { panic("seam") }

// Peer returns the way back to the peer: commands and data requests.
func Peer() *PeerClient { panic("seam") }

// PeerClient commands the peer from inside a component.
type PeerClient struct{}
