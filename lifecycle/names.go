package lifecycle

import (
	"fmt"
	"slices"
	"strings"
)

// The names are part of the public contract (JSON, ccpc's output, the
// journal); each table is indexed by its constants.
var (
	statusNames = [...]string{"stopped", "waiting", "starting", "running", "stopping", "backoff", "completed", "failed"}
	wishNames   = [...]string{"down", "up"}
	stateNames  = [...]string{
		"", "COMPONENT_LAUNCH", "COMPONENT_CONFIGURATION", "COMPONENT_CONNECT", "COMPONENT_START", "COMPONENT_EXECUTION",
		"COMPONENT_STOP_TIME_WAIT", "COMPONENT_STOP_EXECUTION", "COMPONENT_STOP_CLEANUP",
	}
	causeNames = [...]string{"", "status", "command", "exit", "timeout", "health", "reload", "dependency", "recovery"}
	modeNames  = [...]string{"always", "onFailure", "never"}
	eventNames = [...]string{
		"start", "stop", "restart", "kill", "gate-open", "gate-closed", "dependency", "unhealthy", "give-up",
		"spawned", "spawn-failed", "report", "progress", "ready", "refused", "ask-failed", "exited", "gone", "unkillable", "noted", "recovered", "timer",
	}
	effectNames = [...]string{"launch", "ask", "signal", "kill", "set-timer", "stop-timer", "record", "reject-report"}
	timerNames  = [...]string{"launch", "rung", "backoff", "stable"}
	actionNames = [...]string{"ask", "signal", "kill"}
)

func nameOf[T ~uint8](names []string, v T, noun string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", noun, v)
}

func parse[T ~uint8](names []string, text, noun string) (T, error) {
	i := slices.Index(names, text)
	if i < 0 {
		known := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" })
		return 0, fmt.Errorf("unknown %s %q: it is one of %s", noun, text, strings.Join(known, ", "))
	}
	return T(i), nil
}

func marshal[T ~uint8](names []string, v T, noun string) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, fmt.Errorf("cannot write %s %d: it has no name", noun, v)
	}
	return []byte(names[v]), nil
}

// unmarshal leaves *v alone when b is no name.
func unmarshal[T ~uint8](v *T, parse func(string) (T, error), b []byte) error {
	parsed, err := parse(string(b))
	if err == nil {
		*v = parsed
	}
	return err
}

// String returns the contract's name, such as "running".
func (s Status) String() string { return nameOf(statusNames[:], s, "status") }

// String returns "up" or "down".
func (d Desired) String() string { return nameOf(wishNames[:], d, "desired") }

// String returns the contract's name, such as "COMPONENT_EXECUTION"; "" for NoState.
func (s State) String() string { return nameOf(stateNames[:], s, "state") }

// String returns the contract's name, such as "command"; "" for CauseNone.
func (c Cause) String() string { return nameOf(causeNames[:], c, "cause") }

// String returns the profile's word, such as "onFailure".
func (m RestartMode) String() string { return nameOf(modeNames[:], m, "restart mode") }

// String returns the event's name, such as "gate-open".
func (k EventKind) String() string { return nameOf(eventNames[:], k, "event") }

// String returns the effect's name, such as "set-timer".
func (k EffectKind) String() string { return nameOf(effectNames[:], k, "effect") }

// String returns the timer's name, such as "backoff".
func (t Timer) String() string { return nameOf(timerNames[:], t, "timer") }

// String returns "ask", "signal" or "kill".
func (a Action) String() string { return nameOf(actionNames[:], a, "action") }

// ParseStatus is the inverse of Status.String; its error names what is allowed.
func ParseStatus(text string) (Status, error) { return parse[Status](statusNames[:], text, "status") }

// ParseDesired is the inverse of Desired.String.
func ParseDesired(text string) (Desired, error) { return parse[Desired](wishNames[:], text, "desired") }

// ParseState is the inverse of State.String; "" is NoState.
func ParseState(text string) (State, error) { return parse[State](stateNames[:], text, "state") }

// ParseCause is the inverse of Cause.String; "" is CauseNone.
func ParseCause(text string) (Cause, error) { return parse[Cause](causeNames[:], text, "cause") }

// ParseRestartMode is the inverse of RestartMode.String.
func ParseRestartMode(text string) (RestartMode, error) {
	return parse[RestartMode](modeNames[:], text, "restart mode")
}

// MarshalText implements encoding.TextMarshaler.
func (s Status) MarshalText() ([]byte, error) { return marshal(statusNames[:], s, "status") }

// MarshalText implements encoding.TextMarshaler.
func (d Desired) MarshalText() ([]byte, error) { return marshal(wishNames[:], d, "desired") }

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return marshal(stateNames[:], s, "state") }

// MarshalText implements encoding.TextMarshaler.
func (c Cause) MarshalText() ([]byte, error) { return marshal(causeNames[:], c, "cause") }

// MarshalText implements encoding.TextMarshaler.
func (m RestartMode) MarshalText() ([]byte, error) { return marshal(modeNames[:], m, "restart mode") }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Status) UnmarshalText(b []byte) error { return unmarshal(s, ParseStatus, b) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Desired) UnmarshalText(b []byte) error { return unmarshal(d, ParseDesired, b) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *State) UnmarshalText(b []byte) error { return unmarshal(s, ParseState, b) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Cause) UnmarshalText(b []byte) error { return unmarshal(c, ParseCause, b) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *RestartMode) UnmarshalText(b []byte) error { return unmarshal(m, ParseRestartMode, b) }
