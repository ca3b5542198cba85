package cluster

import (
	"testing"
	"time"
)

// byItself is what the server has by itself: it is read before init sets it.
var byItself = minElectionTimeout

// TestElectionTimeoutIsTheServers: what is set is the server's own variable, and
// not one that nobody reads.
func TestElectionTimeoutIsTheServers(t *testing.T) {
	if byItself != 4*time.Second {
		t.Errorf("the server elects after %v by itself: is the variable still its own, and is a change still needed?", byItself)
	}
}
