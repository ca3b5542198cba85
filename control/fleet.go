package control

import "time"

// ConnectorStatus is a peer's link to its fleet.
type ConnectorStatus struct {
	// State is connecting, connected, refused (the controller does not want this
	// peer) or ended (the controller sent it away for good).
	State    string    `json:"state"`
	Since    time.Time `json:"since"`    // of State
	Endpoint string    `json:"endpoint"` // in use, or tried last
	Target   string    `json:"target"`
	// Primary is true until nothing runs any more that only the primary runs.
	Primary bool       `json:"primary"`
	Term    uint64     `json:"term"` // the highest seen; lower ones are refused
	Role    string     `json:"role"` // of those who come by way of a controller
	Error   string     `json:"error,omitempty"`
	RetryAt *time.Time `json:"retryAt,omitempty"`
}

// ControllerStatus is the controller that a peer is.
type ControllerStatus struct {
	Identifier string `json:"identifier"`
	Listen     string `json:"listen"` // the address in use; "" while there is none
	Targets    int    `json:"targets"`
	Channels   int    `json:"channels"`
	Error      string `json:"error,omitempty"` // why it does not run
}
