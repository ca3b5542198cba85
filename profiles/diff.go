package profiles

import "reflect"

// ChangeKind says what to do with one instance.
type ChangeKind uint8

// The kinds of change.
const (
	ChangeStart   ChangeKind = iota // new, or enabled now: then Old is set
	ChangeStop                      // gone, or disabled now: then New is set and stays known. By Old's rules
	ChangeRestart                   // stopped by Old's rules, started by New's
	ChangeUpdate                    // live, no restart
)

var changeNames = [...]string{"start", "stop", "restart", "update"}

func (k ChangeKind) String() string { return changeNames[k] }

// Change is one step from one plan to another.
type Change struct {
	Kind     ChangeKind
	Old, New *Spec
	Fields   []string // profile keys that differ
}

// Diff compares two plans (old may be nil) and returns the changes in the
// order to carry them out: what stops, the last started first; then the rest
// in new's start order. Identical plans give none. A new Spec that is not
// enabled is a ChangeStart all the same: it is to be known, not to be run.
func Diff(old, new *Plan) []Change {
	before, after := map[string]*Spec{}, map[string]*Spec{}
	if old != nil {
		for _, s := range old.Specs {
			before[s.Address] = s
		}
	}
	for _, s := range new.Specs {
		after[s.Address] = s
	}
	var stops, rest []Change
	if old != nil {
		for i := len(old.Specs) - 1; i >= 0; i-- {
			s := old.Specs[i]
			if next := after[s.Address]; next == nil || s.Enabled && !next.Enabled {
				stops = append(stops, Change{Kind: ChangeStop, Old: s, New: next, Fields: changed(s, next)})
			}
		}
	}
	for _, s := range new.Specs {
		if c, any := change(before[s.Address], s); any {
			rest = append(rest, c)
		}
	}
	return append(stops, rest...)
}

// change compares the two versions of one instance; a stop is not its matter.
func change(old, new *Spec) (Change, bool) {
	c := Change{Old: old, New: new, Fields: changed(old, new)}
	switch {
	case old == nil || !old.Enabled && new.Enabled:
		c.Kind = ChangeStart
	case old.Enabled && !new.Enabled:
		return c, false
	case old.Hash != new.Hash:
		c.Kind = ChangeRestart
	case old.LiveHash != new.LiveHash:
		c.Kind = ChangeUpdate
	default:
		return c, false
	}
	return c, true
}

// changed lists the keys in which two versions of an instance differ.
func changed(old, new *Spec) []string {
	if old == nil || new == nil {
		return nil
	}
	var keys []string
	for _, f := range specFields {
		if !reflect.DeepEqual(f.get(old), f.get(new)) {
			keys = append(keys, f.key)
		}
	}
	return keys
}
