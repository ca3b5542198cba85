package control

import (
	"encoding/json"
	"time"
)

// Selection names instances: exact names (`ticker`, `ticker#2`,
// `orders/ticker`), all, all of an application, or all of a group.
type Selection struct {
	Names       []string `json:"names,omitempty"`
	All         bool     `json:"all,omitempty"`
	Application string   `json:"app,omitempty"`
	Group       string   `json:"group,omitempty"`
}

// ActRequest is the payload of start, stop, restart and kill. Healthy has what
// is started count as up only when its health check, if it has one, says so;
// Rolling does too.
type ActRequest struct {
	Selection
	NoWait    bool  `json:"noWait,omitempty"`
	TimeoutMs int64 `json:"timeoutMs,omitempty"` // of the wait; 0: as the specs allow
	Rolling   bool  `json:"rolling,omitempty"`
	Healthy   bool  `json:"healthy,omitempty"`
	// Signal has kill hand this signal to the processes themselves, and do no more.
	Signal string `json:"signal,omitempty"`
	// After names what was acted on already, as application/name, with the
	// generation that it had before: its outcome is waited for, and nothing is done
	// again. A peer that became another program meanwhile asks for it (see Again).
	After map[string]uint64 `json:"after,omitempty"`
}

// UpgradeRequest is the payload of upgrade.
type UpgradeRequest struct {
	Binary string `json:"binary,omitempty"` // absolute path; "": the file that the running peerd was started from
	// TimeoutMs bounds the wait for what cannot be handed over while it is under
	// way; 0: 30 s.
	TimeoutMs int64 `json:"timeoutMs,omitempty"`
}

// NameRequest names one instance.
type NameRequest struct {
	Name        string `json:"name"`
	Application string `json:"app,omitempty"`
}

// LogLevelRequest is the payload of set-loglevel. Logger "" is root.
type LogLevelRequest struct {
	NameRequest
	Logger  string `json:"logger,omitempty"`
	Level   string `json:"level"`
	Persist bool   `json:"persist,omitempty"`
}

// DataRequest asks an instance for data. What is one of memory, loglevels,
// pid, stats, cpu, threads. Count is the number of answers (0 means 1, below 0
// endless), IntervalMs apart: all but the last are intermediate replies, the
// last is the terminal one.
type DataRequest struct {
	NameRequest
	What       string   `json:"what"`
	Loggers    []string `json:"loggers,omitempty"`
	Count      int64    `json:"count,omitempty"`
	IntervalMs int64    `json:"intervalMs,omitempty"`
}

// SendRequest sends any command to a component.
type SendRequest struct {
	NameRequest
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// LogsRequest selects captured output.
type LogsRequest struct {
	Selection
	Follow bool       `json:"follow,omitempty"`
	Tail   *int       `json:"tail,omitempty"` // absent: all
	Since  *time.Time `json:"since,omitempty"`
	Stream string     `json:"stream,omitempty"` // out | err
	// Skip leaves out so many of the first lines, which have been sent already (see
	// Again).
	Skip int `json:"skip,omitempty"`
}

// EventsRequest selects the journal's records.
type EventsRequest struct {
	Name        string `json:"name,omitempty"`
	Application string `json:"app,omitempty"`
	Since       uint64 `json:"since,omitempty"`
	Follow      bool   `json:"follow,omitempty"`
	Last        int    `json:"last,omitempty"`
}

// ReloadRequest reloads the profile.
type ReloadRequest struct {
	DryRun bool `json:"dryRun,omitempty"`
}

// ScaleRequest changes the number of replicas of a component. Name is the
// component's, not one replica's.
type ScaleRequest struct {
	NameRequest
	Replicas int `json:"replicas"`
}
