package cluster

import (
	"slices"
	"testing"
	"time"
)

// byItself is what the server has without us: it is read before init sets it.
var byItself = []time.Duration{minElectionTimeout, maxElectionTimeout, hbInterval, lostQuorumInterval, lostQuorumCheck}

// TestTimesAreTheServers: what is set are the server's own variables, and not some
// that nobody reads.
func TestTimesAreTheServers(t *testing.T) {
	if want := []time.Duration{4 * time.Second, 9 * time.Second, time.Second, 10 * time.Second, 10 * time.Second}; !slices.Equal(byItself, want) {
		t.Errorf("the server has %v by itself, not %v: are the variables still its own, and is a change still needed?", byItself, want)
	}
}
