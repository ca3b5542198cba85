package notify

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is one sd_notify datagram, as far as peerd heeds it. MAINPID is not
// heeded: a pid never comes from a component. Descriptors sent along are
// closed, which is what sd_notify_barrier waits for.
type Message struct {
	Pid       int // the sender, as the kernel says; it is of the component's tree
	Ready     bool
	Reloading bool
	Stopping  bool
	Watchdog  bool          // the component lives
	Trigger   bool          // WATCHDOG=trigger: treat it as if it did not
	Status    string        // "" when not sent; at most 1 KiB, valid UTF-8
	Interval  time.Duration // WATCHDOG_USEC: the new watchdog interval; 0 not sent
	Extend    time.Duration // EXTEND_TIMEOUT_USEC: the time asked for; 0 not sent
}

// maxDatagram is what systemd accepts, too.
const maxDatagram = 4 << 10

// maxStatus bounds Message.Status.
const maxStatus = 1 << 10

// Parse reads a datagram's lines; unknown and malformed ones are skipped, as the
// protocol wants it. Who sent it is not in it.
func Parse(b []byte) Message {
	var m Message
	for line := range strings.SplitSeq(string(b), "\n") {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch key {
		case "READY":
			m.Ready = m.Ready || value == "1"
		case "RELOADING":
			m.Reloading = m.Reloading || value == "1"
		case "STOPPING":
			m.Stopping = m.Stopping || value == "1"
		case "WATCHDOG":
			m.Watchdog = m.Watchdog || value == "1"
			m.Trigger = m.Trigger || value == "trigger"
		case "WATCHDOG_USEC":
			m.Interval = microseconds(value)
		case "EXTEND_TIMEOUT_USEC":
			m.Extend = microseconds(value)
		case "STATUS":
			m.Status = bounded(value)
		}
	}
	return m
}

// Lasts reports whether something in a datagram holds until it is taken back: that
// the component is ready, and how often it will show that it lives.
func Lasts(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if line == "READY=1" || strings.HasPrefix(line, "WATCHDOG_USEC=") {
			return true
		}
	}
	return false
}

// microseconds reads a positive number; 0 for anything else.
func microseconds(s string) time.Duration {
	const most = uint64(1<<63-1) / uint64(time.Microsecond)
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > most {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

func bounded(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxStatus {
		return s
	}
	s = s[:maxStatus]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
