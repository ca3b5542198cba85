// Package loopback gives tests addresses of this host that nobody else uses.
//
//	listen := loopback.Addresses(3)
//
// Some servers have to be told a fixed port before they start. One that the
// kernel has just given may be given to somebody else a moment later; but
// loopback has more addresses than the one that everybody uses.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Addresses returns n addresses, host:port, on which nobody listens. It panics
// where loopback has only one address.
func Addresses(n int) (all []string) {
	for range n {
		host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			panic(fmt.Sprintf("loopback: %v", err))
		}
		all = append(all, l.Addr().String())
		l.Close()
	}
	return all
}
