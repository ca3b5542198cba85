package controller

// Stats are what there is at one moment.
type Stats struct {
	Nodes, Targets, Channels int // of the fleet
	LocalChannels            int // of this node
	InFlight                 int // commands on this node's channels
	Batches                  map[BatchStatus]int

	// Of this node, since it was made. The elections it decided are the events
	// PrimaryElected, and so on.
	Commands map[Outcome]uint64
	Events   map[EventKind]uint64
}

// Stats counts what there is; for metrics.
func (c *Controller) Stats() Stats {
	s := Stats{Nodes: len(c.registry.nodeNames()), Batches: c.batches.view.statuses()}
	s.Commands, s.Events = c.tally.totals()
	links := c.registry.links()
	s.LocalChannels = len(links)
	for _, l := range links {
		s.InFlight += l.inFlight()
	}
	s.Targets, s.Channels = c.registry.sizes()
	return s
}

func (r *registry) sizes() (targets, channels int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.targets), len(r.channels)
}

func (v *batchView) statuses() map[BatchStatus]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	count := make(map[BatchStatus]int)
	for _, r := range v.records {
		if r.defined {
			count[r.status()]++
		}
	}
	return count
}
