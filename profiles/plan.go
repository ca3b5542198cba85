package profiles

import "fmt"

// instances gives a Spec its instances' names, addresses and fingerprints.
func (s *Spec) instances(replicas int) []*Spec {
	out := make([]*Spec, replicas)
	for i := range out {
		one := *s
		one.Instance, one.Replicas, one.Name = i+1, replicas, s.Component
		if replicas > 1 {
			one.Name = fmt.Sprintf("%s#%d", s.Component, i+1)
		}
		one.Address = address(one.Application, one.Name)
		one.Hash, one.LiveHash = one.hashes()
		out[i] = &one
	}
	return out
}

// GroupOf gives the settings of the Spec's supervision group, if it is in one.
func (p *Plan) GroupOf(s *Spec) (Group, bool) {
	g, ok := p.Groups[s.Application.GUID+"/"+s.Group]
	return g, ok && s.Group != ""
}
