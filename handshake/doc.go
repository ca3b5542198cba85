// Package handshake brings a peer and a component together: the negotiation of
// version ranges, which is pure, and both ends of the connection. It is the
// only importer of go-plugin.
//
// The peer's end, for a process that somebody else launches and watches:
//
//	host := &handshake.Host{Dir: dir}         // dir: 0700, private to the instance
//	… launch the component with host.Env() in its environment …
//	conn, err := host.Connect(ctx, process)   // waits for the handshake line
//	endpoint := exchange.NewEndpoint(conn, exchange.Options{Handlers: mux})
//	err = endpoint.Run(ctx)                   // the protocol; ends with the connection
//	err = conn.Wait()                         // all is freed
//
// A later peer attaches to the same component by Conn.Address and Conn.Version
// with [Host.Attach].
//
// The component's end, used by package component:
//
//	server, err := handshake.Serve(handshake.Serving{Accept: serve})
//
// Of go-plugin we keep what goes over the wire (the cookie, the handshake line,
// gRPC on a unix socket) and its two entry points, with everything turned off
// that decides: it sees a process only through a runner whose one output is the
// handshake line, already read and checked here; it parses no log, kills
// nothing, and its own services are refused on both sides. So no component can
// harm its peer by what it prints, and a connection that is lost or closed
// never ends a process.
//
// Versions meet at three gates, cheapest first ([GateDescriptor],
// [GateTransport], [GateProtocol]); [Agree] and its [MismatchError] serve all.
//
// A Host and a Conn are for one component; their methods are safe for
// concurrent use, as far as exchange.Channel promises it.
package handshake
