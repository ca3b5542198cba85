// Package lifecycle is the life of one component instance as a pure machine.
//
// A [Machine] is a value. An [Event] says what happened, the caller says when,
// and [Machine.Step] returns the machine after it with the [Effect]s to carry
// out in order:
//
//	var m lifecycle.Machine
//	m, effects := m.Step(time.Now(), policy, lifecycle.Event{Kind: lifecycle.EvStart})
//	for _, e := range effects { ... } // DoRecord, then DoLaunch of generation 1
//
// Two things are kept apart: what is wanted ([Desired]) and what is
// ([Status], the peer's view); the component's own word ([State]) rides beside
// them. Every launch is a new generation, every event of a process and every
// timer carries its generation, and whatever belongs to another generation
// changes nothing.
//
// Every status × event is decided by one table, from which docs/lifecycle.md
// is generated; run go generate after changing it. [CheckPath] says whether a
// recorded history is a path of the machine. [Decide] is the restart policy
// and [Ladder] the way a component is stopped.
//
// The package has no clock, goroutine, random number, log or I/O. A Machine
// has no lock: one goroutine owns it, copies of it may go anywhere.
package lifecycle

//go:generate go test . -run "TestMatrix|TestDocs" -rewrite
