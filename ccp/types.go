package ccp

// Command types of the protocol; spec.md has each payload. A reply carries the
// type of its command, but DATA_REQUEST is answered by DATA.
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

// Versions of the protocol that this package speaks, both inclusive. Each side
// announces its range in HANDSHAKE and the highest version in both is used.
const (
	MinVersion = "1.0"
	MaxVersion = "1.0"
)

// PeerCommands lists the types that a peer may send to a component; a custom
// command must not take one of these names.
func PeerCommands() []string {
	return []string{
		TypeHandshake, TypeInitiateShutdown, TypeReportState, TypeSetLogLevel,
		TypeFlushMessages, TypeClearOutLogs, TypeClearErrLogs, TypeDumpStack,
		TypeHealthCheck, TypePrimary, TypeDataRequest,
	}
}

// FeatureIdempotency is the word in a component's features that says: a command
// with the idempotency key of one that has succeeded is answered with the same
// reply, and not run again, as long as the process lives.
const FeatureIdempotency = "IDEMPOTENCY"

// Identifier names what a DATA_REQUEST asks for.
type Identifier string

// Identifiers the peer asks a component for.
const (
	MemoryUsage    Identifier = "MEMORY_USAGE"    // Memory
	LogLevels      Identifier = "LOG_LEVELS"      // map of logger to level
	PID            Identifier = "PID"             // number
	ComponentStats Identifier = "COMPONENT_STATS" // map of name to number
	CPUUsage       Identifier = "CPU_USAGE"       // CPU
	Threads        Identifier = "THREADS"         // number
)

// Identifiers a component asks its peer for.
const (
	ComponentConfiguration Identifier = "COMPONENT_CONFIGURATION" // Configuration
	NamedConfiguration     Identifier = "NAMED_CONFIGURATION"     // map of name to any JSON
	PortConfiguration      Identifier = "PORT_CONFIGURATION"      // Ports
	ManageableProperties   Identifier = "MANAGEABLE_PROPERTIES"   // list of Property
)

// ComponentData lists the identifiers a component may be asked for.
func ComponentData() []Identifier {
	return []Identifier{MemoryUsage, LogLevels, PID, ComponentStats, CPUUsage, Threads}
}

// PeerData lists the identifiers a peer may be asked for.
func PeerData() []Identifier {
	return []Identifier{ComponentConfiguration, NamedConfiguration, PortConfiguration, ManageableProperties}
}

// StatusType is the severity of a STATUS.
type StatusType string

// Severities of a STATUS.
const (
	Information StatusType = "INFORMATION"
	Warning     StatusType = "WARNING"
	Error       StatusType = "ERROR"
)
