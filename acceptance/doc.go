// Package acceptance holds the promises of the whole against the whole: its
// tests build peerd, ccpc, the sample component and a component that
// misbehaves on demand, and look at them only from outside, as a user does:
// command lines, exit codes, JSON, signals, files and /proc.
//
// A test starts a peer of its own and talks to it through ccpc:
//
//	p := start(t, `components: {ticker: {descriptor: "${DESCRIPTOR}", command: ["${SAMPLE}"]}}`)
//	p.running("ticker")
//	p.must("stop", "ticker")
//
// When a test ends, its peer is stopped; the history of every instance must be
// a path of the machine, and no process of the test may be left. Each peer has
// folders and processes of its own, so tests run side by side.
package acceptance
