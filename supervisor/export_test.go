package supervisor

import "fmt"

// Held says what a supervisor and its actors hold beyond the instances
// themselves; for a moment when all of their goroutines are at rest.
type Held struct {
	Mail, Unsaved, Settling  int // messages nobody has read, records not on disk, generations that wait for theirs
	Pending, Wanted, Leaving int // of the nodes
	Nodes, Listed, Actors    int
}

// Held counts what s holds. A mailbox's lock orders the count before whatever
// its reader does next.
func (s *Supervisor) Held() Held {
	s.mail.mu.Lock()
	defer s.mail.mu.Unlock()
	h := Held{
		Mail: len(s.mail.queue), Nodes: len(s.nodes), Listed: len(s.list),
	}
	for _, n := range s.nodes {
		h.Pending += one(n.pending != nil)
		h.Wanted += one(n.wanted != nil)
		h.Leaving += one(n.leaving)
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

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// String lists the counts.
func (h Held) String() string { type plain Held; return fmt.Sprintf("%+v", plain(h)) }

// MaxUnsaved is the bound of what an actor keeps for a journal that refuses.
const MaxUnsaved = maxUnsaved
