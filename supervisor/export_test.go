package supervisor

import "fmt"

// Held says what a supervisor and its actors hold beyond the instances
// themselves; for a moment when all of their goroutines are at rest.
type Held struct {
	Mail, Unsaved, Settling int // messages nobody has read, records not on disk, generations that wait for theirs
	Pending, Wanted, Gates  int
	Leaving, Specs, Nodes   int
	Actors                  int
}

// Held counts what s holds. A mailbox's lock orders the count before whatever
// its reader does next.
func (s *Supervisor) Held() Held {
	s.mail.mu.Lock()
	defer s.mail.mu.Unlock()
	h := Held{
		Mail:    len(s.mail.queue),
		Pending: len(s.pending), Wanted: len(s.wanted), Gates: len(s.gates),
		Leaving: len(s.leaving), Specs: len(s.specs), Nodes: len(s.nodes),
	}
	for _, a := range *s.actors.Load() {
		a.mail.mu.Lock()
		h.Actors++
		h.Mail += len(a.mail.queue)
		h.Unsaved += len(a.unsaved)
		h.Settling += len(a.settling)
		a.mail.mu.Unlock()
	}
	return h
}

// String lists the counts.
func (h Held) String() string { type plain Held; return fmt.Sprintf("%+v", plain(h)) }

// MaxUnsaved is the bound of what an actor keeps for a journal that refuses.
const MaxUnsaved = maxUnsaved
