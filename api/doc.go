// Package api is the HTTP+JSON façade of a peer and its client.
//
// A Server mounts every entry of control.Operations on a mux of exchange
// handlers and adds nothing of its own: a request becomes a command, the
// command's terminal reply the response, its intermediate replies the frames of
// a stream (Server-Sent Events or NDJSON, as the client asks). Who the caller
// is, the kernel says (SO_PEERCRED); what the caller may do, the access rules.
//
//	l, err := api.ListenUnix("/run/peerd/peerd.sock")
//	s := api.NewServer(api.Options{Commands: mux, Authorize: api.Access(rules)})
//	err = s.Serve(ctx, l) // until ctx ends
//
//	c, err := api.NewClient("/run/peerd/peerd.sock")
//	err = c.Call(ctx, control.OpPs, control.Selection{}, &instances)
//
// Server and Client are safe for concurrent use. Each request runs in the
// goroutine of its connection, a streaming one in one more that ends with it;
// Serve returns when all of them have.
package api
