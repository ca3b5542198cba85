// Package component is what the author of a component imports. A component is
// a value with one method, Execute:
//
//	type ticker struct{}
//
//	func (ticker) Execute(ctx context.Context) error {
//		<-ctx.Done() // told to stop
//		return nil
//	}
//
//	func main() { component.Main(component.Info{Name: "ticker", Version: "1.0"}, ticker{}) }
//
// Everything else is optional; see [Component] for the list. The package does
// what the Component Control Protocol asks of a component:
//
//   - it walks the states in order, reports each and waits for the peer's word;
//   - it answers every command, those it has a method for and those it has not;
//   - it outlives its peer: the work goes on, and the next peer is served;
//   - a stop, by command or by signal, comes once, in order and within its
//     budget: Drain while Execute still runs, then the end of Execute's
//     context, then Cleanup;
//   - a panic or an error is reported and becomes the exit code ([ExitPanic],
//     [ExitFailed]); Execute returning nil means that the work is done.
//
// [Logger] gives loggers whose levels are changed at run time; [Peer] is the
// way back to the peer. Package componenttest runs a component in a test,
// without a peer and without a process. samples/CCPComponent shows every
// method; `ccpc new NAME` copies it.
//
// The methods of a life are called one after the other, Drain beside Execute;
// all others come at any time, from several goroutines.
package component
