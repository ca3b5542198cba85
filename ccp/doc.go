// Package ccp is the Component Control Protocol: the vocabulary that a peer
// and the components it runs speak on an exchange channel. It has the command
// types, their payloads with the rules they must keep, a typed [Client] for
// either side, and adapters that make exchange handlers of typed functions.
//
// A peer asks a component:
//
//	client := ccp.NewClient(endpoint)
//	report, err := client.ReportState(ctx)
//	err = client.Data(ctx, ccp.DataRequest{Identifiers: []ccp.Identifier{ccp.MemoryUsage}, RepetitionCount: -1, IntervalMs: 1000}, show)
//
// And answers one:
//
//	mux.Handle(ccp.TypeStatus, ccp.Handle(func(ctx context.Context, e ccp.StatusEvent) (ccp.Empty, error) { … }))
//
// The package knows nothing of processes or of how a channel came about. Its
// values are plain data; a Client is safe for concurrent use where its Caller
// is. The normative text, enough to write a component in any language, is
// spec.md beside this file; a test keeps its examples true.
package ccp
