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
	// Cluster is where it meets other controllers; nil while it does not run.
	Cluster *ClusterStatus `json:"cluster,omitempty"`
}

// ClusterStatus is the engine of a controller.
type ClusterStatus struct {
	Mode  string   `json:"mode"` // standalone, clustered or external
	Name  string   `json:"name,omitempty"`
	Node  string   `json:"node"`
	There []string `json:"there"` // the controllers that are reached, this one among them
	// Buckets are what the cluster keeps, as far as this controller has a copy.
	Buckets []BucketStatus `json:"buckets,omitempty"`
}

// BucketStatus is one of the things that a cluster keeps.
type BucketStatus struct {
	Name   string   `json:"name"`
	Leader string   `json:"leader"`           // the controller whose engine orders its writes; "" while there is none
	Behind []string `json:"behind,omitempty"` // controllers whose copies lag behind; only its leader knows
}

// SnapshotRequest has the controller of a peer save what it keeps. Path is of a
// file on the peer's host that is not there yet.
type SnapshotRequest struct {
	Path string `json:"path"`
}

// SnapshotReply is a snapshot that was saved.
type SnapshotReply struct {
	Path    string    `json:"path"`
	ID      string    `json:"id"`
	Taken   time.Time `json:"taken"`
	Buckets []string  `json:"buckets"`
}
