package component

import (
	"context"
	"encoding/json"
	"errors"
)

// Component is what an author writes. Execute is the work: it runs while the
// state is COMPONENT_EXECUTION and returns when ctx ends (an orderly stop), or
// earlier with nil (the work is done) or an error (it failed).
//
// Everything else is optional and found by assertion; in the order of a life:
// Configurer, Connecter, Starter, then Execute, then Drainer, Cleaner; and at
// any time HealthChecker, Statser, LogLeveler, PrimaryAware, CommandHandler,
// Flusher, OutLogClearer, ErrLogClearer.
//
// The methods of a life are called one after the other (Drain while Execute
// still runs); the others come from other goroutines at any time.
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

// Starter prepares the work in COMPONENT_START. As for Configure and Connect,
// ctx ends when the component is told to stop.
type Starter interface {
	Start(ctx context.Context) error
}

// Drainer finishes work in flight in COMPONENT_STOP_TIME_WAIT; ctx ends with
// the stop budget. Execute's context ends after it.
type Drainer interface {
	Drain(ctx context.Context) error
}

// Cleaner closes what was opened, in COMPONENT_STOP_CLEANUP; ctx ends with the
// stop budget. It is called after a start that failed half-way, too, and must
// cope with what was never opened.
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

// PrimaryAware is told whether it is the primary of its target, when that
// changes. Terms never go back: a lower one is refused before it gets here. What
// must not be done by two asks Office besides.
type PrimaryAware interface {
	Primary(primary bool, term uint64)
}

// CommandHandler answers commands the protocol does not know. progress sends
// an intermediate reply. Return ErrUnknownCommand for types that are not its.
type CommandHandler interface {
	HandleCommand(ctx context.Context, typ string, payload json.RawMessage, progress func(any) error) (any, error)
}

// ErrUnknownCommand is what HandleCommand returns for types that are not its.
var ErrUnknownCommand = errors.New("command unknown")

// Flusher answers FLUSH_MESSAGES: it hands on what is buffered.
type Flusher interface {
	Flush(ctx context.Context) error
}

// OutLogClearer answers CLEAR_OUT_LOGS, for a component that keeps an output
// log of its own. What it prints is its peer's to keep.
type OutLogClearer interface {
	ClearOutLogs(ctx context.Context) error
}

// ErrLogClearer answers CLEAR_ERR_LOGS, likewise for an error log.
type ErrLogClearer interface {
	ClearErrLogs(ctx context.Context) error
}

// Info names the component.
type Info struct {
	Name    string   // root logger's name
	Version string   // of the component itself
	Loggers []string // names known from the start; more appear as they are made
}
