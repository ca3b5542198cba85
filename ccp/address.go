package ccp

import (
	"fmt"
	"slices"
	"strings"
)

const separator = "__"

// Address names one instance exactly: application, its version, and the
// instance within it. Nothing is ever matched by prefix or pattern.
type Address struct {
	Application string // GUID
	Version     string // "1.0"
	Instance    string // "ticker", "ticker#2"
}

// String returns the form used on the wire: the parts joined by two
// underscores, the dots of the version as underscores ("orders__1_0__ticker").
// For valid addresses it is injective.
func (a Address) String() string {
	return a.Application + separator + strings.ReplaceAll(a.Version, ".", "_") + separator + a.Instance
}

// Validate reports why a cannot be written without ambiguity.
func (a Address) Validate() error {
	for _, part := range []struct{ name, value string }{
		{"application", a.Application}, {"version", a.Version}, {"instance", a.Instance},
	} {
		switch {
		case part.value == "":
			return fmt.Errorf("address: %s is empty", part.name)
		case strings.Contains(part.value, separator),
			strings.HasPrefix(part.value, "_"), strings.HasSuffix(part.value, "_"):
			return fmt.Errorf("address: %s %q must not contain %q, nor begin or end with an underscore", part.name, part.value, separator)
		}
	}
	if strings.Contains(a.Version, "_") || slices.Contains(strings.Split(a.Version, "."), "") {
		return fmt.Errorf("address: version %q must be words joined by single dots, without underscores", a.Version)
	}
	return nil
}

// ParseAddress is the inverse of Address.String.
func ParseAddress(text string) (Address, error) {
	parts := strings.Split(text, separator)
	if len(parts) != 3 {
		return Address{}, fmt.Errorf("address %q: want application__version__instance, as in orders__1_0__ticker", text)
	}
	a := Address{Application: parts[0], Version: strings.ReplaceAll(parts[1], "_", "."), Instance: parts[2]}
	if err := a.Validate(); err != nil {
		return Address{}, err
	}
	return a, nil
}
