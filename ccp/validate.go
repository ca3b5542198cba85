package ccp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// Bounds of a payload. They keep one frame from costing more than it should;
// reaching one is an ERROR reply that names it.
const (
	MaxIdentifiers = 32
	MaxLoggers     = 1024
	MaxText        = 8 << 10 // bytes of a reason, comment, detail or error message
)

// Validate reports what is wrong with h.
func (h Handshake) Validate() error {
	return checkVersions(h.MinVersionSupported, h.MaxVersionSupported)
}

// Validate reports what is wrong with a.
func (a HandshakeAck) Validate() error {
	if err := checkVersions(a.MinVersionSupported, a.MaxVersionSupported); err != nil {
		return err
	}
	return checkText("comment", a.Comment)
}

// Validate reports what is wrong with s.
func (s Shutdown) Validate() error {
	if s.StopWaitTimeMs < 0 {
		return fmt.Errorf("stopWaitTimeMs: %d is negative; give milliseconds, 0 or more", s.StopWaitTimeMs)
	}
	return checkText("reason", s.Reason)
}

// Validate reports what is wrong with r.
func (r StateReport) Validate() error {
	return checkState(r.State, r.OperationScope)
}

// Validate reports what is wrong with m. Which loggers and levels exist only
// the component knows.
func (m LogLevelMap) Validate() error {
	if len(m.Levels) == 0 {
		return fmt.Errorf("levels: is empty; name at least one logger with its level")
	}
	if len(m.Levels) > MaxLoggers {
		return fmt.Errorf("levels: %d loggers, at most %d are allowed", len(m.Levels), MaxLoggers)
	}
	for logger, level := range m.Levels {
		if logger == "" || level == "" {
			return fmt.Errorf("levels: %q=%q: neither logger nor level may be empty", logger, level)
		}
	}
	return nil
}

// Validate reports what is wrong with r. Whether an identifier is known is for
// the answering side: an unknown one is an entry in Data.Errors.
func (r DataRequest) Validate() error {
	switch {
	case len(r.Identifiers) == 0:
		return fmt.Errorf("identifiers: is empty; name at least one")
	case len(r.Identifiers) > MaxIdentifiers:
		return fmt.Errorf("identifiers: %d, at most %d are allowed", len(r.Identifiers), MaxIdentifiers)
	case len(r.Loggers) > MaxLoggers:
		return fmt.Errorf("loggers: %d, at most %d are allowed", len(r.Loggers), MaxLoggers)
	case r.IntervalMs < 0:
		return fmt.Errorf("intervalMs: %d is negative", r.IntervalMs)
	case r.Repeats() && r.IntervalMs == 0:
		return fmt.Errorf("intervalMs: is 0, but repetitionCount %d needs an interval of 1 ms or more", r.RepetitionCount)
	}
	for i, id := range r.Identifiers {
		if id == "" {
			return fmt.Errorf("identifiers[%d]: is empty", i)
		}
		if slices.Contains(r.Identifiers[:i], id) {
			return fmt.Errorf("identifiers[%d]: %q is there twice", i, id)
		}
	}
	return nil
}

// Repeats reports whether more than one answer is asked for.
func (r DataRequest) Repeats() bool { return r.RepetitionCount < 0 || r.RepetitionCount > 1 }

// Validate reports what is wrong with d.
func (d Data) Validate() error {
	for id := range d.Errors {
		if _, both := d.Values[id]; both {
			return fmt.Errorf("%s: has a value and an error; only one is allowed", id)
		}
	}
	return nil
}

// Validate reports what is wrong with e. Whether the state may follow the one
// before it is for the peer's machine.
func (e StatusEvent) Validate() error {
	switch e.StatusType {
	case Information, Warning:
	case Error:
		if e.ErrorMessage == "" {
			return fmt.Errorf("errorMessage: is empty, but statusType ERROR needs one")
		}
	default:
		return fmt.Errorf("statusType: %q; allowed: %s, %s, %s", e.StatusType, Information, Warning, Error)
	}
	if p := e.Progress; p != nil && !(*p >= 0 && *p <= 1) {
		return fmt.Errorf("progress: %v; allowed: 0 to 1", *p)
	}
	if err := checkText("errorMessage", e.ErrorMessage); err != nil {
		return err
	}
	return checkState(e.State, e.OperationScope)
}

// Validate reports what is wrong with h.
func (h Health) Validate() error { return checkText("detail", h.Detail) }

// Validate reports what is wrong with c.
func (c Configuration) Validate() error {
	_, err := ParseAddress(c.Address)
	return err
}

func checkVersions(low, high string) error {
	if low == "" || high == "" {
		return fmt.Errorf("minVersionSupported %q, maxVersionSupported %q: both are needed, as \"major.minor\"", low, high)
	}
	return nil
}

func checkText(field, text string) error {
	if len(text) > MaxText {
		return fmt.Errorf("%s: %d bytes, at most %d are allowed", field, len(text), MaxText)
	}
	return nil
}

func checkState(name, scope string) error {
	state, err := lifecycle.ParseState(name)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if state == lifecycle.NoState {
		return fmt.Errorf("state: is empty")
	}
	if scope != "" && !slices.Contains(scopes, scope) {
		return fmt.Errorf("operationScope: %q; allowed: %s", scope, strings.Join(scopes, ", "))
	}
	return nil
}
