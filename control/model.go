package control

import (
	"encoding/json"
	"time"

	"github.com/seed-04209a44/peerd/journal"
)

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
	Reason      string     `json:"reason"`           // why waiting, backoff or failed
	Says        string     `json:"says,omitempty"`   // a plain process of itself, by sd_notify
	Attach      string     `json:"attach,omitempty"` // launch: manual, the socket where it waits for a person
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

// LogLevels is its answer.
type LogLevels struct {
	Levels map[string]string `json:"levels"`
}

// Data is one answer to a DataRequest; Data holds the identifier's object.
type Data struct {
	Name   string          `json:"name"`
	At     time.Time       `json:"at"`
	What   string          `json:"what"`
	Source string          `json:"source"` // component | os
	Data   json.RawMessage `json:"data"`
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
	Peer      string `json:"peer"`
	Version   string `json:"version"`
	Pid       int    `json:"pid"`
	KeeperPid int    `json:"keeperPid"`
	// KeeperVersion is that of the keeper, which is upgraded after the peer.
	KeeperVersion string            `json:"keeperVersion,omitempty"`
	UptimeMs      int64             `json:"uptimeMs"`
	Profile       string            `json:"profile"`
	Plan          PlanStatus        `json:"plan"`
	Degraded      []string          `json:"degraded"`
	Counts        map[string]int    `json:"counts"` // instances by status
	Containment   string            `json:"containment"`
	Warnings      []string          `json:"warnings,omitempty"`
	Connector     *ConnectorStatus  `json:"connector,omitempty"`
	Controller    *ControllerStatus `json:"controller,omitempty"`
	Upgrade       *Upgrade          `json:"upgrade,omitempty"` // the latest
}

// Upgrade is one replacement of the running peerd by another one.
type Upgrade struct {
	From    string    `json:"from"`   // version
	To      string    `json:"to"`     // version
	Binary  string    `json:"binary"` // of To
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Outcome string    `json:"outcome"` // underway | upgraded | already | failed
	Detail  string    `json:"detail,omitempty"`
	TookMs  int64     `json:"tookMs"` // from At until the new one was ready
	// Keeper is what followed: the keeper's own upgrade.
	Keeper *KeeperUpgrade `json:"keeper,omitempty"`
}

// KeeperUpgrade is the replacement of the keeper's program, in its place. One
// that stays what it is still does its work: it is one version apart.
type KeeperUpgrade struct {
	From   string `json:"from"`             // version
	To     string `json:"to"`               // version; From where it stays what it is
	Detail string `json:"detail,omitempty"` // why it stays
}

// PlanStatus identifies the plan in force.
type PlanStatus struct {
	Hash      string    `json:"hash"`
	AppliedAt time.Time `json:"appliedAt"`
}
