// Package unix carries the exchange over a local unix socket, between two
// processes of one user:
//
//	l, err := unix.Listen(path)           // mode 0600
//	conn, err := l.Accept()               // only of our own user
//	endpoint := exchange.NewEndpoint(conn, exchange.Options{Handlers: mux})
//
//	conn, err := unix.Dial(ctx, path)     // the other side
//
// A frame is four bytes of length, most significant first, and that many bytes
// of JSON: {"command":{…}} or {"reply":{…}}. A frame over MaxFrame is refused
// by the sender and ends the channel of a receiver, which reads no further.
//
// A Conn is safe for concurrent use as far as exchange.Channel promises it.
package unix
