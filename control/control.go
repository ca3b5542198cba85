// Package control is the vocabulary spoken between an operator and a peer:
// the operations, their payloads, and who may use them. The peer registers one
// exchange handler for each; the HTTP façade, ccpc and the fleet link all reach
// those same handlers.
package control

import (
	"encoding/json"
	"time"

	"github.com/seed-04209a44/peerd/journal"
)

// Role is what a caller may do: each includes the ones before it.
type Role uint8

// The roles.
const (
	NoRole   Role = iota
	Viewer        // look
	Operator      // act on components
	Admin         // act on the peer
)

// Operation describes one operation: its command type on an exchange channel
// and its place in the HTTP API.
type Operation struct {
	Type     string // command type
	Method   string // HTTP
	Path     string // HTTP, with {name} wildcards that fill request fields
	Role     Role
	Summary  string
	Request  any  // zero value of the payload; nil: {}
	Response any  // zero value of the terminal reply's payload
	Progress any  // zero value of the intermediate replies' payload; nil: none
	Stream   bool // endless: served as SSE
}

// Caller says on whose behalf a command runs; handlers find it in their context.
type Caller struct {
	Role Role
	By   string // "uid 0 pid 77 ccpc"
}

// Exit is how a generation ended.
type Exit struct {
	Code   int       `json:"code"`
	Signal string    `json:"signal"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Instance is one row of `ccpc ps`.
type Instance struct {
	Name        string     `json:"name"`
	Application string     `json:"application"`
	Address     string     `json:"address"`
	Component   string     `json:"component"`
	Instance    int        `json:"instance"`
	Generation  uint64     `json:"generation"`
	Desired     string     `json:"desired"`
	Status      string     `json:"status"`
	State       string     `json:"state"`
	Pid         int        `json:"pid"`
	StartedAt   *time.Time `json:"startedAt,omitempty"`
	Restarts    int        `json:"restarts"`
	CCP         bool       `json:"ccp"`
	CCPVersion  string     `json:"ccpVersion"`
	Health      string     `json:"health"` // healthy | unhealthy | unknown
	LastExit    *Exit      `json:"lastExit,omitempty"`
	Reason      string     `json:"reason"`
	NextStartAt *time.Time `json:"nextStartAt,omitempty"`
	Primary     bool       `json:"primary"`
	CPU         float64    `json:"cpu"`    // cores
	Memory      int64      `json:"memory"` // bytes
}

// Detail is `ccpc get NAME`.
type Detail struct {
	Instance
	Spec    map[string]any   `json:"spec"` // resolved entry, secrets by name only
	Recent  []journal.Record `json:"recent"`
	Tree    []Process        `json:"tree"`
	Dropped int64            `json:"droppedLogBytes"`
}

// Process is one member of an instance's process tree.
type Process struct {
	Pid     int    `json:"pid"`
	Command string `json:"command"`
}

// Outcome is what an acting operation did to one instance.
type Outcome struct {
	Name        string `json:"name"`
	Application string `json:"application"`
	Outcome     string `json:"outcome"` // started | stopped | already | failed | timeout | accepted
	Status      string `json:"status"`
	Detail      string `json:"detail"`
}

// Step is the progress of an acting operation on one instance.
type Step struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	State  string `json:"state"`
	Detail string `json:"detail"`
}

// Selection names instances: exact names (`ticker`, `ticker#2`,
// `orders/ticker`), all, all of an application, or all of a group.
type Selection struct {
	Names       []string `json:"names,omitempty"`
	All         bool     `json:"all,omitempty"`
	Application string   `json:"app,omitempty"`
	Group       string   `json:"group,omitempty"`
}

// ActRequest is the payload of start, stop, restart and kill.
type ActRequest struct {
	Selection
	NoWait    bool  `json:"noWait,omitempty"`
	TimeoutMs int64 `json:"timeoutMs,omitempty"` // of the wait; 0: as the specs allow
	Rolling   bool  `json:"rolling,omitempty"`
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

// LogLevels is its answer.
type LogLevels struct {
	Levels map[string]string `json:"levels"`
}

// DataRequest asks an instance for data. What is one of memory, loglevels,
// pid, stats, cpu, threads. Count < 0 is endless.
type DataRequest struct {
	NameRequest
	What       string   `json:"what"`
	Loggers    []string `json:"loggers,omitempty"`
	Count      int64    `json:"count,omitempty"`
	IntervalMs int64    `json:"intervalMs,omitempty"`
}

// Data is one answer to a DataRequest; Data holds the identifier's object.
type Data struct {
	Name   string          `json:"name"`
	At     time.Time       `json:"at"`
	What   string          `json:"what"`
	Source string          `json:"source"` // component | os
	Data   json.RawMessage `json:"data"`
}

// SendRequest sends any command to a component.
type SendRequest struct {
	NameRequest
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// SendReply is the component's terminal reply.
type SendReply struct {
	Type         string          `json:"type"`
	Status       string          `json:"commandStatus"`
	ErrorDetails string          `json:"errorDetails,omitempty"`
	Payload      json.RawMessage `json:"payload,omitempty"`
}

// StateReport is `ccpc report-state`.
type StateReport struct {
	Name           string    `json:"name"`
	State          string    `json:"state"`
	Since          time.Time `json:"since"`
	OperationScope string    `json:"operationScope"`
	ErrorMessage   string    `json:"errorMessage,omitempty"`
}

// LogsRequest selects captured output.
type LogsRequest struct {
	Selection
	Follow bool       `json:"follow,omitempty"`
	Tail   *int       `json:"tail,omitempty"` // absent: all
	Since  *time.Time `json:"since,omitempty"`
	Stream string     `json:"stream,omitempty"` // out | err
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

// Change is one step of a reload.
type Change struct {
	Name        string   `json:"name"`
	Application string   `json:"application"`
	Change      string   `json:"change"` // start | stop | restart | update
	Fields      []string `json:"fields,omitempty"`
}

// ReloadReply lists what a reload does or would do.
type ReloadReply struct {
	Changes  []Change `json:"changes"`
	Warnings []string `json:"warnings,omitempty"`
	Hash     string   `json:"hash"`
}

// PeerStatus is `ccpc status`.
type PeerStatus struct {
	Peer        string         `json:"peer"`
	Version     string         `json:"version"`
	Pid         int            `json:"pid"`
	KeeperPid   int            `json:"keeperPid"`
	UptimeMs    int64          `json:"uptimeMs"`
	Profile     string         `json:"profile"`
	Plan        PlanStatus     `json:"plan"`
	Degraded    []string       `json:"degraded"`
	Counts      map[string]int `json:"counts"` // instances by status
	Containment string         `json:"containment"`
	Warnings    []string       `json:"warnings,omitempty"`
	Connector   any            `json:"connector,omitempty"`
}

// PlanStatus identifies the plan in force.
type PlanStatus struct {
	Hash      string    `json:"hash"`
	AppliedAt time.Time `json:"appliedAt"`
}
