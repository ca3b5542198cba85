package peer

import "github.com/seed-04209a44/peerd/api"

// Fleet implements api.FleetSource.
func (p *Peer) Fleet() (api.FleetFigures, bool) {
	c, _ := p.host.get()
	plan, _ := p.currentPlan()
	if c == nil || plan.Controller == nil {
		return api.FleetFigures{}, false
	}
	s := c.Stats()
	return api.FleetFigures{
		Identifier: plan.Controller.Identifier, Nodes: s.Nodes, Targets: s.Targets, Channels: s.Channels,
		LocalChannels: s.LocalChannels, InFlight: s.InFlight,
		Batches: byWord(s.Batches), Commands: byWord(s.Commands), Events: byWord(s.Events),
	}, true
}

// byWord is m with its keys as plain words.
func byWord[K ~string, V any](m map[K]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[string(k)] = v
	}
	return out
}
