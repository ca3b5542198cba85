package handshake

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-04209a44/peerd/ccp"
)

// maxVersionPart bounds either number of a version.
const maxVersionPart = 9999

// Version is a protocol version, major.minor.
type Version struct{ Major, Minor int }

// ParseVersion reads "1.0"; a bare "1" is "1.0".
func ParseVersion(text string) (Version, error) {
	major, minor, dotted := strings.Cut(text, ".")
	if !dotted {
		minor = "0"
	}
	var v Version
	var err error
	if v.Major, err = versionPart(major); err == nil {
		v.Minor, err = versionPart(minor)
	}
	if err != nil {
		return Version{}, fmt.Errorf("version %.40q: %w; want major.minor, as in 1.0", text, err)
	}
	return v, nil
}

func versionPart(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > maxVersionPart {
		return 0, fmt.Errorf("%.40q is not a number from 0 to %d", text, maxVersionPart)
	}
	return int(n), nil
}

// String returns "major.minor".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Less reports whether v is older than w. Minor numbers count, so 1.9 is older
// than 1.10.
func (v Version) Less(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// Range is an inclusive range of versions.
type Range struct{ Min, Max Version }

// Supported is the range of protocol versions this module speaks.
func Supported() Range {
	r, err := Parse(ccp.MinVersion, ccp.MaxVersion)
	if err != nil {
		panic(err) // constants of package ccp; a test reads them
	}
	return r
}

// Parse reads both ends of a range and refuses one that is upside down.
func Parse(low, high string) (Range, error) {
	var r Range
	var err error
	if r.Min, err = ParseVersion(low); err != nil {
		return Range{}, fmt.Errorf("lowest %w", err)
	}
	if r.Max, err = ParseVersion(high); err != nil {
		return Range{}, fmt.Errorf("highest %w", err)
	}
	if r.Max.Less(r.Min) {
		return Range{}, fmt.Errorf("version range %s is empty: its lowest version is above its highest", r)
	}
	return r, nil
}

// String returns "1.0..1.2".
func (r Range) String() string { return r.Min.String() + ".." + r.Max.String() }

// Negotiate returns the highest version in both ranges.
func Negotiate(a, b Range) (Version, bool) {
	low, high := a.Min, a.Max
	if low.Less(b.Min) {
		low = b.Min
	}
	if b.Max.Less(high) {
		high = b.Max
	}
	if high.Less(low) {
		return Version{}, false
	}
	return high, true
}

// Gate names where versions met.
type Gate string

// The gates a component passes, cheapest first.
const (
	GateDescriptor Gate = "descriptor" // before anything is launched
	GateTransport  Gate = "transport"  // go-plugin's protocol version
	GateProtocol   Gate = "handshake"  // HANDSHAKE on the open channel
)

// MismatchError says that no version lies in both ranges.
type MismatchError struct {
	Gate            Gate
	Peer, Component string // ranges as each side announced them
}

// Error names both ranges and the gate.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("no common CCP version at the %s gate: this peer speaks %s, the component %s; update the older of the two",
		e.Gate, e.Peer, e.Component)
}

// Agree is Negotiate with an error that names the gate and both ranges.
func Agree(gate Gate, peer, component Range) (Version, error) {
	v, ok := Negotiate(peer, component)
	if !ok {
		return Version{}, &MismatchError{Gate: gate, Peer: peer.String(), Component: component.String()}
	}
	return v, nil
}
