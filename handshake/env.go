package handshake

import (
	"os"
	"strings"
)

// Names of go-plugin's variables that a component is given.
const (
	envVersions  = "PLUGIN_PROTOCOL_VERSIONS"
	envSocketDir = "PLUGIN_UNIX_SOCKET_DIR"
	envPrefix    = "PLUGIN_"
)

// Reserved reports whether an environment variable belongs to the handshake: a
// profile must not set it, and nobody's children inherit it.
func Reserved(name string) bool {
	return name == cookieKey || strings.HasPrefix(name, envPrefix)
}

// scrub removes the handshake's variables from this process, so that its
// children do not take themselves for components.
func scrub() {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); Reserved(name) {
			_ = os.Unsetenv(name)
		}
	}
}
