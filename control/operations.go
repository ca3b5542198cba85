package control

import (
	"encoding/json"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/logs"
)

// Command types of the operations.
const (
	OpPs          = "PS"
	OpGet         = "GET"
	OpStart       = "START"
	OpStop        = "STOP"
	OpRestart     = "RESTART"
	OpKill        = "KILL"
	OpReportState = "REPORT_STATE"
	OpSetLogLevel = "SET_LOGLEVEL"
	OpData        = "DATA_REQUEST"
	OpFlush       = "FLUSH_MESSAGES"
	OpClearLogs   = "CLEAR_LOGS"
	OpDumpStack   = "DUMP_STACK"
	OpSend        = "SEND"
	OpLogs        = "LOGS"
	OpEvents      = "EVENTS"
	OpHistory     = "HISTORY"
	OpPlan        = "PLAN"
	OpReload      = "RELOAD"
	OpStatus      = "STATUS"
	OpUpgrade     = "UPGRADE"
	OpScale       = "SCALE"
	OpGraph       = "GRAPH"
	OpSnapshot    = "SNAPSHOT"
)

// Operations is the whole vocabulary, in the order of the documentation. The
// façade mounts it, OpenAPI is generated from it, and the peer must register a
// handler for every entry (a test checks that).
func Operations() []Operation {
	const one = "/v1/components/{name}"
	return []Operation{
		{Type: OpPs, Method: "GET", Path: "/v1/components", Role: Viewer, Summary: "List instances.", Request: Selection{}, Response: []Instance{}},
		{Type: OpGet, Method: "GET", Path: one, Role: Viewer, Summary: "Everything about one instance.", Request: NameRequest{}, Response: Detail{}},
		{Type: OpStart, Method: "POST", Path: one + "/start", Many: "/v1/start", Role: Operator, Summary: "Start instances.", Request: ActRequest{}, Response: []Outcome{}, Progress: Step{}},
		{Type: OpStop, Method: "POST", Path: one + "/stop", Many: "/v1/stop", Role: Operator, Summary: "Stop instances in order.", Request: ActRequest{}, Response: []Outcome{}, Progress: Step{}},
		{Type: OpRestart, Method: "POST", Path: one + "/restart", Many: "/v1/restart", Role: Operator, Summary: "Stop and start instances.", Request: ActRequest{}, Response: []Outcome{}, Progress: Step{}},
		{Type: OpKill, Method: "POST", Path: one + "/kill", Many: "/v1/kill", Role: Operator, Summary: "End instances by force.", Request: ActRequest{}, Response: []Outcome{}, Progress: Step{}},
		{Type: OpReportState, Method: "POST", Path: one + "/report-state", Role: Viewer, Summary: "Ask the component for its state.", Request: NameRequest{}, Response: StateReport{}},
		{Type: OpSetLogLevel, Method: "POST", Path: one + "/set-loglevel", Role: Operator, Summary: "Change a logger's level at run time.", Request: LogLevelRequest{}, Response: LogLevels{}},
		{Type: OpData, Method: "POST", Path: one + "/data", Role: Viewer, Summary: "Ask for data, once or repeatedly.", Request: DataRequest{}, Response: Data{}, Progress: Data{}},
		{Type: OpFlush, Method: "POST", Path: one + "/flush", Role: Operator, Summary: "Have the component flush its messages.", Request: NameRequest{}, Response: SendReply{}},
		{Type: OpClearLogs, Method: "POST", Path: one + "/clear-logs", Role: Operator, Summary: "Empty the captured logs.", Request: NameRequest{}, Response: SendReply{}},
		{Type: OpDumpStack, Method: "POST", Path: one + "/dump-stack", Role: Operator, Summary: "Have the component dump its stacks.", Request: NameRequest{}, Response: SendReply{}},
		{Type: OpSend, Method: "POST", Path: one + "/send", Role: Operator, Summary: "Send any command to the component.", Request: SendRequest{}, Response: SendReply{}, Progress: json.RawMessage{}},
		{Type: OpLogs, Method: "GET", Path: "/v1/logs/{name}", Many: "/v1/logs", Role: Viewer, Summary: "Captured output.", Request: LogsRequest{}, Progress: logs.Line{}, Stream: true},
		{Type: OpEvents, Method: "GET", Path: "/v1/events", Role: Viewer, Summary: "The journal as it is written.", Request: EventsRequest{}, Progress: journal.Record{}, Stream: true},
		{Type: OpHistory, Method: "GET", Path: "/v1/history", Role: Viewer, Summary: "Past transitions.", Request: EventsRequest{}, Response: []journal.Record{}},
		{Type: OpScale, Method: "POST", Path: one + "/scale", Role: Operator, Summary: "Change the number of replicas at run time.", Request: ScaleRequest{}, Response: []Outcome{}, Progress: Step{}},
		{Type: OpGraph, Method: "GET", Path: "/v1/graph", Role: Viewer, Summary: "The dependency graph and the critical path of the start.", Response: Graph{}},
		{Type: OpPlan, Method: "GET", Path: "/v1/plan", Role: Viewer, Summary: "The plan in force.", Response: map[string]any{}},
		{Type: OpReload, Method: "POST", Path: "/v1/reload", Role: Admin, Summary: "Load the profile again and apply what changed.", Request: ReloadRequest{}, Response: ReloadReply{}},
		{Type: OpUpgrade, Method: "POST", Path: "/v1/upgrade", Role: Admin, Summary: "Replace the running peerd by another one; no component is restarted.", Request: UpgradeRequest{}, Response: Upgrade{}},
		{Type: OpSnapshot, Method: "POST", Path: "/v1/cluster/snapshot", Role: Admin, Summary: "Save what the controller of this peer keeps to a file on its host.", Request: SnapshotRequest{}, Response: SnapshotReply{}},
		{Type: OpStatus, Method: "GET", Path: "/v1/status", Role: Viewer, Summary: "The peer's own state.", Response: PeerStatus{}},
	}
}

// Lookup finds the operation with that command type.
func Lookup(typ string) (Operation, bool) {
	for _, op := range Operations() {
		if op.Type == typ {
			return op, true
		}
	}
	return Operation{}, false
}
