package websocket

import (
	"net/http"
	"time"
)

// clockHeader carries, both ways, what time it is at the sender's. With it the
// deadlines that arrive are understood by this side's clock, so that two hosts
// whose clocks differ do not refuse each other's commands as expired. It errs, by
// the time the upgrade took, towards later. A program that does not send it sends
// no deadlines either, and gets no frames that were added to the protocol.
const clockHeader = "X-Peerd-Clock"

// sameClock is the difference up to which two clocks count as one.
const sameClock = 500 * time.Millisecond

func clockNow() string { return time.Now().UTC().Format(time.RFC3339Nano) }

// skewOf returns what to add to a time of the other side's.
func skewOf(header http.Header) time.Duration {
	theirs, err := time.Parse(time.RFC3339Nano, header.Get(clockHeader))
	if err != nil {
		return 0
	}
	skew := time.Since(theirs)
	if skew.Abs() < sameClock {
		return 0
	}
	return skew
}
