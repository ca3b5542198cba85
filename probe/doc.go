// Package probe finds out whether a component is ready and healthy. It knows
// nothing of components: it is given an address, an argv or a function.
//
// [Check] asks once. [Run] asks on a schedule and tells when the verdict, kept
// by the pure [Tracker], changes:
//
//	spec := probe.Spec{HTTP: "http://127.0.0.1:8080/ready"}
//	r := probe.Check(ctx, spec)
//	probe.Run(ctx, spec, probe.Schedule{Interval: 10 * time.Second, Failures: 3}, func(h probe.Health, r probe.Result) { … })
//
// Components that tell by themselves are heard by [WaitNewline] (a newline on a
// descriptor, as s6 has it) and by package notify (the sd_notify protocol).
//
// # Concurrency
//
// Check, Run and WaitNewline work in the caller's goroutine and
// leave none behind; what they start ends before they return. Check may be
// called concurrently. A Tracker is a value for one goroutine.
package probe
