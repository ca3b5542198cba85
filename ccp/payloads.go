package ccp

import (
	"encoding/json"
	"time"
)

// Handshake is the payload of HANDSHAKE: the range of versions the peer
// speaks, as "major.minor", and names of what it can do beyond them.
type Handshake struct {
	MinVersionSupported string   `json:"minVersionSupported"`
	MaxVersionSupported string   `json:"maxVersionSupported"`
	Features            []string `json:"features"`
}

// HandshakeAck is the reply to HANDSHAKE. CCPSupported is false when no
// version lies in both ranges; Comment then says so.
type HandshakeAck struct {
	MinVersionSupported string   `json:"minVersionSupported"`
	MaxVersionSupported string   `json:"maxVersionSupported"`
	CCPSupported        bool     `json:"ccpSupported"`
	Comment             string   `json:"comment"`
	Features            []string `json:"features"`
}

// Shutdown is the payload of INITIATE_SHUTDOWN: how long the peer waits for
// the process to end before it uses force, and why it asks.
type Shutdown struct {
	StopWaitTimeMs int64  `json:"stopWaitTimeMs"`
	Reason         string `json:"reason"`
}

// StateReport is the reply to REPORT_STATE.
type StateReport struct {
	State          string    `json:"state"`
	Since          time.Time `json:"since"`
	OperationScope string    `json:"operationScope"`
	ErrorMessage   string    `json:"errorMessage,omitempty"`
}

// LogLevelMap is the payload of SET_LOGLEVEL both ways: level by logger.
type LogLevelMap struct {
	Levels map[string]string `json:"levels"`
}

// DataRequest is the payload of DATA_REQUEST both ways. RepetitionCount < 0 is
// endless, 0 counts as 1; IntervalMs separates the repetitions. Loggers limits
// LOG_LEVELS to those named.
type DataRequest struct {
	Identifiers     []Identifier `json:"identifiers"`
	Loggers         []string     `json:"loggers,omitempty"`
	RepetitionCount int64        `json:"repetitionCount"`
	IntervalMs      int64        `json:"intervalMs"`
}

// Data is one answer to a DATA_REQUEST. Every identifier asked for is in
// exactly one of the two maps: Values has what could be answered, Errors says
// why the rest could not.
type Data struct {
	At     time.Time                      `json:"at"`
	Values map[Identifier]json.RawMessage `json:"values"`
	Errors map[Identifier]string          `json:"errors,omitempty"`
}

// Memory is the value of MEMORY_USAGE, in bytes. Used is what live data
// occupies, Allocated what was taken from the operating system for it.
type Memory struct {
	HeapUsed         int64 `json:"heapUsed"`
	HeapAllocated    int64 `json:"heapAllocated"`
	NonHeapUsed      int64 `json:"nonHeapUsed"`
	NonHeapAllocated int64 `json:"nonHeapAllocated"`
}

// CPU is the value of CPU_USAGE: processor time used since the process began
// and, where it is known, the share of one core lately (1.0 is a whole core).
type CPU struct {
	TotalMs int64    `json:"totalMs"`
	Cores   *float64 `json:"cores,omitempty"`
}

// StatusEvent is the payload of STATUS. Progress, where given, is the share
// done of the present state (0 to 1) and asks for more time in it.
type StatusEvent struct {
	StatusType     StatusType `json:"statusType"`
	State          string     `json:"state"`
	OperationScope string     `json:"operationScope"`
	ErrorMessage   string     `json:"errorMessage,omitempty"`
	Progress       *float64   `json:"progress,omitempty"`
}

// Health is the reply to HEALTH_CHECK.
type Health struct {
	Healthy bool   `json:"healthy"`
	Detail  string `json:"detail,omitempty"`
}

// PrimaryNotice is the payload of PRIMARY. A term lower than one already seen
// is refused.
type PrimaryNotice struct {
	Primary bool   `json:"primary"`
	Term    uint64 `json:"term"`
	// ValidMs is how long it counts from its arrival on, in ms, unless it comes
	// again; 0: until another one comes.
	ValidMs int64 `json:"validMs,omitempty"`
}

// Configuration is the value of COMPONENT_CONFIGURATION: what the profile says
// of this instance.
type Configuration struct {
	Address   string            `json:"address"`   // Address.String
	Values    map[string]any    `json:"values"`    // the profile's `config`
	Arguments map[string]string `json:"arguments"` // runtime arguments
	Secrets   map[string]string `json:"secrets,omitempty"`
	Loggers   map[string]string `json:"loggers,omitempty"` // levels to begin with
}

// Ports is the value of PORT_CONFIGURATION.
type Ports struct {
	Input  []Port `json:"input"`
	Output []Port `json:"output"`
}

// Port is one port of a component as its descriptor declares it.
type Port struct {
	Name         string `json:"name"`
	RequestReply bool   `json:"requestReply"`
	Description  string `json:"description,omitempty"`
}

// Property is one entry of MANAGEABLE_PROPERTIES.
type Property struct {
	Name       string `json:"name"`
	Value      string `json:"value"`
	Encrypted  bool   `json:"encrypted"`
	Type       string `json:"type"`
	ConfigType string `json:"configType"`
}
