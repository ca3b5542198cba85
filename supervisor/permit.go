package supervisor

import "github.com/seed-04209a44/peerd/profiles"

// Permit is what the owner of a supervisor says of an instance beyond its
// dependencies. The zero value lets it run.
type Permit struct {
	Wait  string // why it may not be started now; "" is that it may
	Leave bool   // beside Wait: neither may it go on
}

type reconsiderMsg struct{}

// Reconsider has every instance measured again by Options.Permit. It does not
// wait.
func (s *Supervisor) Reconsider() { s.mail.put(reconsiderMsg{}) }

func (s *Supervisor) permit(spec *profiles.Spec) Permit {
	if s.opts.Permit == nil {
		return Permit{}
	}
	return s.opts.Permit(spec)
}
