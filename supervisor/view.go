package supervisor

import (
	"errors"
	"reflect"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
)

// Key names an instance within a peer.
type Key struct{ Application, Name string }

// String is the qualified name, application/name.
func (k Key) String() string { return k.Application + "/" + k.Name }

// KeyOf is the key of the instance that spec describes.
func KeyOf(spec *profiles.Spec) Key { return Key{spec.Application.GUID, spec.Name} }

// Health is the verdict of an instance's health check.
type Health uint8

// The verdicts; Unknown until the first check, and while nothing is checked.
const (
	HealthUnknown Health = iota
	HealthGood
	HealthBad
)

// String is the JSON form.
func (h Health) String() string { return [...]string{"unknown", "healthy", "unhealthy"}[h] }

// View is what is known of an instance at one moment. It never changes; a new
// one replaces it.
type View struct {
	Key
	Spec         *profiles.Spec
	Machine      lifecycle.Machine
	Health       Health
	HealthDetail string
	LastExitAt   time.Time // of Machine.LastExit
	Version      string    // of the protocol in use
	// Fault says why the journal refused to remember the last transitions;
	// while it is set, nothing about the instance counts as acknowledged.
	Fault error

	handle  Handle
	heard   uint64        // serial of the last event heard from the owner
	changed chan struct{} // closed when a newer view exists
}

// sameAs reports whether v tells nothing that o does not.
func (v *View) sameAs(o *View) bool {
	return v.Spec == o.Spec && v.Health == o.Health && v.HealthDetail == o.HealthDetail &&
		v.Version == o.Version && errors.Is(v.Fault, o.Fault) && v.handle == o.handle && v.heard == o.heard &&
		reflect.DeepEqual(v.Machine, o.Machine)
}

// AtRest reports whether nothing of the instance lives.
func (v *View) AtRest() bool {
	switch v.Machine.Status {
	case lifecycle.Starting, lifecycle.Running, lifecycle.Stopping:
		return false
	}
	return true
}

// Started reports whether the instance does its work or has done it.
func (v *View) Started() bool {
	return v.Machine.Status == lifecycle.Running || v.Machine.Status == lifecycle.Completed
}

// Commander returns the way to the running component, nil where it has none.
func (v *View) Commander() Commander {
	c, _ := v.handle.(Commander)
	return c
}

// Handle returns the running generation's handle, nil at rest.
func (v *View) Handle() Handle { return v.handle }
