package handshake_test

import (
	"fmt"

	"github.com/seed-04209a44/peerd/handshake"
)

func ExampleNegotiate() {
	ours, _ := handshake.Parse("1.0", "1.10")
	theirs, _ := handshake.Parse("1.2", "2.0")
	fmt.Println(handshake.Negotiate(ours, theirs))
	// Output: 1.10 true
}

func ExampleAgree() {
	ours, _ := handshake.Parse("1.0", "1.4")
	theirs, _ := handshake.Parse("2.0", "2.1")
	_, err := handshake.Agree(handshake.GateDescriptor, ours, theirs)
	fmt.Println(err)
	// Output: no common CCP version at the descriptor gate: this peer speaks 1.0..1.4, the component 2.0..2.1; update the older of the two
}
