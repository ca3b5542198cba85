package control

// Role is what a caller may do: each includes the ones before it.
type Role uint8

// The roles.
const (
	NoRole   Role = iota
	Viewer        // look
	Operator      // act on components
	Admin         // act on the peer
)

// Operation describes one operation: its command type on an exchange channel
// and its place in the HTTP API.
type Operation struct {
	Type     string // command type
	Method   string // HTTP
	Path     string // HTTP, with {name} wildcards that fill request fields
	Many     string // HTTP path of the same for a whole Selection; "": none
	Role     Role
	Summary  string
	Request  any  // zero value of the payload; nil: {}
	Response any  // zero value of the terminal reply's payload
	Progress any  // zero value of the intermediate replies' payload; nil: none
	Stream   bool // endless: served as SSE
}

// Caller says on whose behalf a command runs; handlers find it in their context.
type Caller struct {
	Role Role
	By   string // "uid 0 pid 77 ccpc"
}
