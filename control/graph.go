package control

// Graph is the dependency graph of the plan in force, as `ccpc graph` and the
// web page draw it.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
	// CriticalPath names the nodes that the start of everything had to wait for,
	// first to last, by the start times measured; empty before the first start.
	CriticalPath []string `json:"criticalPath"`
}

// GraphNode is one instance.
type GraphNode struct {
	Name        string `json:"name"` // application/name
	Status      string `json:"status"`
	LaunchOrder int    `json:"launchOrder"`
	StartMs     int64  `json:"startMs"` // from launch to running, last time; 0: unknown
}

// GraphEdge says that From waits for To.
type GraphEdge struct {
	From      string `json:"from"` // application/name
	To        string `json:"to"`
	Condition string `json:"condition"` // started | healthy | completed
	Soft      bool   `json:"soft"`
}
