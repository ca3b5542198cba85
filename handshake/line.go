package handshake

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Contract of go-plugin that is ours to keep: changing one of these locks out
// every component built before.
const (
	cookieKey   = "CCP_COMPONENT_COOKIE"
	cookieValue = "4ad9b1f6c3d84e0f9a6b5c2e7d108f35"
	coreVersion = "1" // of go-plugin itself
	protocol    = "grpc"
	network     = "unix"
)

// shownLine bounds how much of a wrong first line an error repeats.
const shownLine = 120

// greeting is what a component's first stdout line says.
type greeting struct {
	version int // of the transport
	address string
}

// parseLine reads a handshake line strictly. Its errors say what came, escaped
// and bounded, and what was expected; they reach operators as they are.
func parseLine(line string, versions []int) (greeting, error) {
	fields := strings.Split(strings.TrimSpace(line), "|")
	if len(fields) < 5 || fields[0] != coreVersion {
		return greeting{}, fmt.Errorf("the component's first output line is no handshake: got %s, want %q; "+
			"it must print nothing to stdout before its handshake", show(line), "1|VERSION|unix|SOCKET|grpc")
	}
	version, err := strconv.Atoi(fields[1])
	if err != nil {
		return greeting{}, fmt.Errorf("the component's handshake has no transport version: got %s in field 2, want a number", show(fields[1]))
	}
	if !slices.Contains(versions, version) {
		return greeting{}, &MismatchError{
			Gate: GateTransport, Peer: "transport version " + join(versions, " or "), Component: "transport version " + strconv.Itoa(version),
		}
	}
	switch {
	case fields[2] != network:
		return greeting{}, fmt.Errorf("the component offers a %s address: only %q is accepted", show(fields[2]), network)
	case fields[4] != protocol:
		return greeting{}, fmt.Errorf("the component offers protocol %s: only %q is accepted", show(fields[4]), protocol)
	case len(fields) > 5 && fields[5] != "":
		return greeting{}, fmt.Errorf("the component offers TLS, which this peer did not ask for: it must ignore PLUGIN_CLIENT_CERT")
	}
	return greeting{version: version, address: fields[3]}, nil
}

// line is the inverse of parseLine.
func (g greeting) line() string {
	return strings.Join([]string{coreVersion, strconv.Itoa(g.version), network, g.address, protocol}, "|")
}

// show quotes text that a component chose: escaped and cut.
func show(text string) string {
	if len(text) <= shownLine {
		return strconv.QuoteToASCII(text)
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.QuoteToASCII(text[:shownLine]), len(text))
}

func join(numbers []int, separator string) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, separator)
}
