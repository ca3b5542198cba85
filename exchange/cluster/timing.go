package cluster

import (
	"time"
	_ "unsafe" // for go:linkname
)

// The server takes 4 to 9 s until it elects another leader, and again when one
// that was cut off is back, and has no option for it. That is for clusters that
// span continents; controllers are near each other, and a fleet is to have a
// primary again within 10 s of any loss. A leader that hears nobody takes 10 to
// 20 s to step down, and writes down all it is asked to meanwhile; when it is back
// each of these entries takes it 2 s to be rid of, before it has a current copy
// again. These are its own variables, set before any server is started. That a
// later version has them still is tested.
//
//go:linkname minElectionTimeout github.com/nats-io/nats-server/v2/server.minElectionTimeout
//go:linkname maxElectionTimeout github.com/nats-io/nats-server/v2/server.maxElectionTimeout
//go:linkname hbInterval github.com/nats-io/nats-server/v2/server.hbInterval
//go:linkname lostQuorumInterval github.com/nats-io/nats-server/v2/server.lostQuorumInterval
//go:linkname lostQuorumCheck github.com/nats-io/nats-server/v2/server.lostQuorumCheck
var minElectionTimeout, maxElectionTimeout, hbInterval, lostQuorumInterval, lostQuorumCheck time.Duration

func init() {
	minElectionTimeout, maxElectionTimeout, hbInterval = 2*time.Second, 3*time.Second, 500*time.Millisecond
	lostQuorumInterval, lostQuorumCheck = 1500*time.Millisecond, 250*time.Millisecond
}
