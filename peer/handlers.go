package peer

import (
	"encoding/json"

	"github.com/seed-04209a44/peerd/control"
	"github.com/seed-04209a44/peerd/exchange"
)

// handlers registers one handler for each operation of the control
// vocabulary: the socket, the web page and the fleet all come this way.
func (p *Peer) handlers() *exchange.Mux {
	m := &exchange.Mux{}
	control.Handle(m, control.OpPs, p.ps)
	control.Handle(m, control.OpGet, p.get)
	control.Handle(m, control.OpStart, p.start)
	control.Handle(m, control.OpStop, p.stop)
	control.Handle(m, control.OpRestart, p.restart)
	control.Handle(m, control.OpKill, p.kill)
	control.Handle(m, control.OpReportState, ordered(p, control.OpReportState, p.reportState))
	control.Handle(m, control.OpSetLogLevel, ordered(p, control.OpSetLogLevel, recorded(p, p.setLogLevel)))
	control.Handle(m, control.OpData, p.data)
	control.Handle(m, control.OpFlush, ordered(p, control.OpFlush, recorded(p, p.flush)))
	control.Handle(m, control.OpClearLogs, ordered(p, control.OpClearLogs, p.clearLogs))
	control.Handle(m, control.OpDumpStack, ordered(p, control.OpDumpStack, p.dumpStack))
	control.Handle(m, control.OpSend, ordered(p, control.OpSend, recorded(p, p.send)))
	control.Handle(m, control.OpLogs, p.logs)
	control.Handle(m, control.OpEvents, p.events)
	control.Handle(m, control.OpHistory, p.history)
	control.Handle(m, control.OpScale, p.scale)
	control.Handle(m, control.OpGraph, p.graph)
	control.Handle(m, control.OpPlan, p.planOf)
	control.Handle(m, control.OpReload, p.reload)
	control.Handle(m, control.OpUpgrade, recorded(p, p.upgrade))
	control.Handle(m, control.OpSnapshot, p.snapshot)
	control.Handle(m, control.OpStatus, p.status)
	return m
}

// progress sends an intermediate answer.
type progress = control.Send

// unused is the request or response of an operation that has none.
type unused struct{}

// rawJSON is v as JSON; v comes from our own types and cannot fail.
func rawJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
