// Package election decides which channel of a target is its primary. It is
// pure: it reads a view and says what to write. The write itself names the
// revision of the record the decision was made on, so of several controllers
// that decide at once one succeeds; the revision it gets is the term.
//
//	switch d := election.Decide(record, candidates, rand.IntN); d.Action {
//	case election.Elect: // put {d.Channel} after record.Term: the new revision is the new term
//	case election.Vacate: // delete after record.Term
//	case election.Keep:
//	}
//
// What makes two primaries harmless is the term: it travels with PRIMARY, and
// whoever has seen a term refuses a lower one (Fence). A controller's view may
// be late, a primary may be paused; neither can act in a term that is over.
package election

// Record is the primary of a target as it is stored. Term is the revision of
// the record; 0 means that there is none.
type Record struct {
	Channel string
	Term    uint64
}

// Action is what to do about a record.
type Action uint8

// The actions.
const (
	Keep Action = iota
	Elect
	Vacate
)

// Decision is what to write.
type Decision struct {
	Action  Action
	Channel string // with Elect
}

// Decide says what is to become of a record, given the channels that are alive
// and healthy, in any order. A living primary is never displaced. pick returns
// one of n numbers from 0 on.
func Decide(r Record, candidates []string, pick func(n int) int) Decision {
	if r.Term != 0 {
		for _, c := range candidates {
			if c == r.Channel {
				return Decision{Action: Keep}
			}
		}
	}
	switch {
	case len(candidates) > 0:
		return Decision{Elect, candidates[pick(len(candidates))]}
	case r.Term != 0:
		return Decision{Action: Vacate}
	}
	return Decision{Action: Keep}
}

// Fence refuses what belongs to a term that is over; the zero value has seen no
// term. Not safe for concurrent use.
type Fence struct{ highest uint64 }

// Admit tells whether something of a term may still have an effect, and
// remembers the term if so.
func (f *Fence) Admit(term uint64) bool {
	if term < f.highest {
		return false
	}
	f.highest = term
	return true
}
