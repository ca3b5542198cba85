// Package control is the vocabulary spoken between an operator and a peer: the
// operations, their payloads, their errors, and who may use them.
//
// Operations is the one table of it. The peer registers one exchange handler
// for each entry, the HTTP façade mounts each entry's path, the OpenAPI
// document is generated from it, and ccpc and the fleet link speak it: what one
// of them can do, all can.
//
// A peer answers an operation with a typed function:
//
//	control.Handle(mux, control.OpPs, func(ctx context.Context, sel control.Selection, _ control.Send) ([]control.Instance, error) {
//		return supervisor.List(sel)
//	})
//
// Handle decodes the payload, refuses callers whose role is too low, and sends
// errors as Error, code included. Whoever brings a command in (a socket, a
// channel) says on whose behalf with WithCaller; a context without a caller may
// do nothing.
//
// The package holds types and pure functions only; everything in it is safe for
// concurrent use.
package control
