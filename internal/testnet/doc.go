// Package testnet gives tests a network of their own: hosts that are network
// namespaces, joined by a router that loses what the test wants it to lose.
//
//	n := testnet.New(t)
//	a, b := n.Host("a"), n.Host("b")
//	cmd := a.Command("/bin/server", "--listen", a.Addr()+":80")
//	n.Cut(a, b)    // what a sends to b vanishes; b still reaches a
//	a.Isolate()    // nothing comes from a, and nothing gets there
//	a.Rejoin()     // as if nothing had been
//	a.Unplug()     // the cable is out: the host sees that
//
// What vanishes does so in the router, by blackhole rules: neither end is told,
// as with a switch that is broken.
//
// It needs root, and the programs ip and nsenter; New skips the test without
// them. Nothing of it is in the namespace of the machine, so there are no names
// and addresses to collide with: every Network has the same ones. Each namespace
// is held by a process that ends with the test's, however that ends; then the
// kernel clears all away.
//
// A Network and its Hosts belong to one goroutine, but for Command, Addr, Listen
// and Dial.
package testnet
