package ccp

import "time"

// Command and reply types of the protocol; see spec.md for each payload.
const (
	TypeHandshake        = "HANDSHAKE"
	TypeInitiateShutdown = "INITIATE_SHUTDOWN"
	TypeReportState      = "REPORT_STATE"
	TypeSetLogLevel      = "SET_LOGLEVEL"
	TypeFlushMessages    = "FLUSH_MESSAGES"
	TypeClearOutLogs     = "CLEAR_OUT_LOGS"
	TypeClearErrLogs     = "CLEAR_ERR_LOGS"
	TypeDumpStack        = "DUMP_STACK"
	TypeHealthCheck      = "HEALTH_CHECK"
	TypePrimary          = "PRIMARY"
	TypeDataRequest      = "DATA_REQUEST"
	TypeData             = "DATA"
	TypeStatus           = "STATUS"
)

// Identifier names what a DATA_REQUEST asks for.
type Identifier string

// Identifiers the peer asks a component for.
const (
	MemoryUsage    Identifier = "MEMORY_USAGE"
	LogLevels      Identifier = "LOG_LEVELS"
	PID            Identifier = "PID"
	ComponentStats Identifier = "COMPONENT_STATS"
	CPUUsage       Identifier = "CPU_USAGE"
	Threads        Identifier = "THREADS"
)

// Identifiers a component asks its peer for.
const (
	ComponentConfiguration Identifier = "COMPONENT_CONFIGURATION"
	NamedConfiguration     Identifier = "NAMED_CONFIGURATION"
	PortConfiguration      Identifier = "PORT_CONFIGURATION"
	ManageableProperties   Identifier = "MANAGEABLE_PROPERTIES"
)

// Shutdown is the payload of INITIATE_SHUTDOWN.
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

// LogLevelMap is the payload of SET_LOGLEVEL both ways.
type LogLevelMap struct {
	Levels map[string]string `json:"levels"`
}

// DataRequest is the payload of DATA_REQUEST both ways. RepetitionCount < 0 is
// endless, 0 counts as 1.
type DataRequest struct {
	Identifiers     []Identifier `json:"identifiers"`
	Loggers         []string     `json:"loggers,omitempty"`
	RepetitionCount int64        `json:"repetitionCount"`
	IntervalMs      int64        `json:"intervalMs"`
}

// StatusType is the severity of a STATUS.
type StatusType string

// Severities of a STATUS.
const (
	Information StatusType = "INFORMATION"
	Warning     StatusType = "WARNING"
	Error       StatusType = "ERROR"
)

// StatusEvent is the payload of STATUS.
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
