package peer

import (
	"syscall"
	"time"

	"github.com/seed-04209a44/peerd/journal"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// will is what is remembered of a living generation's definition beside its
// hashes, so that it is stopped by its own rules though it left the plan while no
// peer was there.
type will struct {
	CCP           bool           `json:"ccp,omitempty"`
	Forks         bool           `json:"forks,omitempty"`
	Notify        bool           `json:"notify,omitempty"`
	LaunchTimeout time.Duration  `json:"launchTimeout,omitempty"` // how long its channel is tried
	StopWait      time.Duration  `json:"stopWait,omitempty"`
	StopSignal    syscall.Signal `json:"stopSignal,omitempty"`
	Logs          profiles.Logs  `json:"logs"`
	Hooks         *willHooks     `json:"hooks,omitempty"` // nil: it has none
}

// willHooks are the hooks of a stop, with what they run in. Env is all that the
// profile gives the component: which of it a hook reads only the hook knows. The
// secrets are not among it, and the journal is the owner's alone to read (0600).
type willHooks struct {
	PreStop  []string `json:"preStop,omitempty"`
	PostStop []string `json:"postStop,omitempty"`
	Dir      string   `json:"dir,omitempty"`
	User     string   `json:"user,omitempty"`
	Group    string   `json:"group,omitempty"`
	Env      []string `json:"env,omitempty"`
}

func willOf(s *profiles.Spec) *will {
	w := &will{
		CCP: s.CCP, Forks: s.Forks, Notify: s.Ready.Notify, LaunchTimeout: s.LaunchTimeout,
		StopWait: s.StopWait, StopSignal: s.StopSignal, Logs: s.Logs,
	}
	if len(s.Hooks.PreStop)+len(s.Hooks.PostStop) > 0 {
		w.Hooks = &willHooks{
			PreStop: s.Hooks.PreStop, PostStop: s.Hooks.PostStop,
			Dir: s.WorkingDirectory, User: s.User, Group: s.OSGroup, Env: s.Env,
		}
	}
	return w
}

// lastWill stands for one that an earlier version has remembered without any: what
// a profile gets that says nothing.
var lastWill = will{LaunchTimeout: 30 * time.Second, StopWait: 10 * time.Second, StopSignal: syscall.SIGTERM}

// executor is the definition by which an instance that is in no plan is taken up,
// to be stopped and nothing else.
func (l life) executor(k supervisor.Key) *profiles.Spec {
	w := l.Will
	if w == nil {
		w = &lastWill
	}
	s := &profiles.Spec{
		Application: profiles.Application{GUID: k.Application}, Component: k.Name, Instance: 1, Replicas: 1, Name: k.Name,
		Hash: l.Hash, LiveHash: l.LiveHash, LaunchMode: "separateProcess", Enabled: true,
		CCP: w.CCP, Forks: w.Forks, Ready: profiles.Ready{Notify: w.Notify},
		LaunchTimeout: w.LaunchTimeout, StopWait: w.StopWait, StopSignal: w.StopSignal, Logs: w.Logs,
		Restart: lifecycle.RestartPolicy{Mode: lifecycle.Never},
	}
	if h := w.Hooks; h != nil {
		s.Hooks = profiles.Hooks{PreStop: h.PreStop, PostStop: h.PostStop}
		s.WorkingDirectory, s.User, s.OSGroup, s.Env = h.Dir, h.User, h.Group, h.Env
	}
	return s
}

// dismiss prepares the supervisor to go on with a generation that has left the
// plan while no peer was there, and to stop it as a reload would have.
func (r *recovery) dismiss(k supervisor.Key, row journal.Instance, last journal.Record, f *foundling) error {
	spec := f.executor(k)
	r.leaving = append(r.leaving,
		profiles.Change{Kind: profiles.ChangeStart, New: spec},
		profiles.Change{Kind: profiles.ChangeStop, Old: spec})
	return r.adopt(k, row, last, spec, f)
}
