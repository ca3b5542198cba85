package process

import "sync"

// maxRecent bounds how many reaped orphans are remembered.
const maxRecent = 1024

// recent are the orphans that were reaped last, and how they ended: one of them
// may be somebody of whom this program is yet to hear.
type recent struct {
	mu    sync.Mutex // guards all following fields
	exits map[process]Exit
	order []process // a ring once it is full
	next  int       // whose place in it the next one takes
}

func (r *recent) add(p process, x Exit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.exits == nil {
		r.exits = map[process]Exit{}
	}
	r.exits[p] = x
	if len(r.order) < maxRecent {
		r.order = append(r.order, p)
		return
	}
	delete(r.exits, r.order[r.next])
	r.order[r.next] = p
	r.next = (r.next + 1) % maxRecent
}

func (r *recent) of(p process) (Exit, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.exits[p]
	return x, ok
}

// gone is a leader that had ended before it was adopted.
func (d *Door) gone(id Identity) goneLeader {
	if id.BootID == bootID() {
		if x, ok := d.recent.of(process{id.Pid, id.StartTicks}); ok {
			return goneLeader{x}
		}
	}
	return goneLeader{unknownExit("it ended while nobody watched")}
}
