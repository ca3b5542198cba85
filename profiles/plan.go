package profiles

import (
	"fmt"
	"slices"
)

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

// WithReplicas gives the plan with another number of instances of one
// component; p itself stays as it is. Diff of the two says what to do.
func (p *Plan) WithReplicas(application, component string, replicas int) (*Plan, error) {
	if replicas < 1 || replicas > 1000 {
		return nil, fmt.Errorf("cannot scale %s to %d: 1 to 1000 is allowed", component, replicas)
	}
	is := func(s *Spec) bool { return s.Application.GUID == application && s.Component == component }
	first := slices.IndexFunc(p.Specs, is)
	if first < 0 {
		return nil, fmt.Errorf("cannot scale %s: the application %s has no such component", component, application)
	}
	scaled := *p
	scaled.Specs = slices.Clone(p.Specs[:first])
	scaled.Specs = append(scaled.Specs, p.Specs[first].instances(replicas)...)
	for _, s := range p.Specs[first:] {
		if !is(s) {
			scaled.Specs = append(scaled.Specs, s)
		}
	}
	scaled.Hash = scaled.hash()
	return &scaled, nil
}
