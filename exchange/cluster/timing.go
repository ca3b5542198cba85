package cluster

import (
	"time"
	_ "unsafe" // for go:linkname
)

// The server takes 4 to 9 s until it elects another leader, and again when one
// that was cut off is back, and has no option for it. That is for clusters that
// span continents; controllers are near each other, and a fleet is to have a
// primary again within 10 s of any loss. These are its own variables, set before
// any server is started. That a later version has them still is tested.
//
//go:linkname minElectionTimeout github.com/nats-io/nats-server/v2/server.minElectionTimeout
//go:linkname maxElectionTimeout github.com/nats-io/nats-server/v2/server.maxElectionTimeout
//go:linkname hbInterval github.com/nats-io/nats-server/v2/server.hbInterval
var minElectionTimeout, maxElectionTimeout, hbInterval time.Duration

func init() {
	minElectionTimeout, maxElectionTimeout, hbInterval = 2*time.Second, 3*time.Second, 500*time.Millisecond
}
