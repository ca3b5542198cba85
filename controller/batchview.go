package controller

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// The keys of a batch in the store. A definition is written first and deleted
// first: what has none is left over, and swept.
func definitionKey(id string) string { return "definition/" + id }
func progressKey(id string) string   { return "progress/" + id }
func cancelKey(id string) string     { return "cancel/" + id }
func replyKey(id string, n int) string {
	return "reply/" + id + "/" + strconv.Itoa(n)
}

// record is all that the store has of a batch.
type record struct {
	id        string
	def       definition
	defined   bool
	state     progress
	revision  uint64 // of state
	replies   map[int]outcome
	cancelled bool
	version   uint64          // of the view, when it last changed
	seen      map[string]seen // of each of its keys

	running bool // a pass of this node is under way
	hurry   bool // the target is back: do not wait until due
	stop    func()
}

// seen is what was last seen of a key.
type seen struct {
	revision uint64
	bytes    int
}

// outcome is what became of a command.
type outcome struct {
	reply    exchange.Reply
	revision uint64
}

// batchView is this node's view of all batches.
type batchView struct {
	mu      sync.Mutex // guards all below
	version uint64
	records map[string]*record
	bytes   int           // of all records
	news    chan struct{} // closed and replaced with each change
	wake    chan struct{} // the scheduler should look
}

func newBatchView() *batchView {
	return &batchView{
		records: make(map[string]*record), news: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// apply takes in one key of the store. It tells which batch changed its status.
func (v *batchView) apply(e cluster.Entry) (changed Batch, ok bool) {
	kind, rest, _ := strings.Cut(e.Key, "/")
	id := rest
	number := -1
	if kind == "reply" {
		at := strings.LastIndexByte(rest, '/')
		n, err := strconv.Atoi(rest[at+1:])
		if at < 0 || err != nil {
			return Batch{}, false
		}
		id, number = rest[:at], n
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.records[id]
	if r == nil {
		r = &record{id: id, replies: make(map[int]outcome), seen: make(map[string]seen)}
		v.records[id] = r
	}
	last := r.seen[e.Key]
	if e.Revision <= last.revision {
		return Batch{}, false // known already, from the write itself
	}
	r.seen[e.Key] = seen{e.Revision, len(e.Value)}
	v.bytes += len(e.Value) - last.bytes
	there, before := r.defined, r.status()
	r.change(kind, number, e)
	if r.empty() {
		delete(v.records, id)
	}
	v.version++
	r.version = v.version
	close(v.news)
	v.news = make(chan struct{})
	if kind != "reply" {
		v.poke()
	}
	if !r.defined || there && r.status() == before {
		return Batch{}, false
	}
	return r.batch(), true
}

// change takes in one key; the view's mu must be held. What cannot be read
// counts as not there.
func (r *record) change(kind string, number int, e cluster.Entry) {
	switch kind {
	case "definition":
		r.def = definition{}
		r.defined = !e.Deleted && json.Unmarshal(e.Value, &r.def) == nil
	case "progress":
		r.state, r.revision = progress{}, 0
		if !e.Deleted && json.Unmarshal(e.Value, &r.state) == nil {
			r.revision = e.Revision
		}
	case "cancel":
		r.cancelled = !e.Deleted
		if r.cancelled && r.stop != nil {
			r.stop()
		}
	case "reply":
		o := outcome{revision: e.Revision}
		if e.Deleted || json.Unmarshal(e.Value, &o.reply) != nil {
			delete(r.replies, number)
			return
		}
		r.replies[number] = o
	}
}

func (r *record) empty() bool {
	return !r.defined && r.revision == 0 && len(r.replies) == 0 && !r.cancelled && !r.running
}

func (r *record) status() BatchStatus {
	if r.revision == 0 {
		return BatchCreated
	}
	return r.state.Status
}

// batch is a record as users see it; v.mu must be held.
func (r *record) batch() Batch {
	b := Batch{
		ID: r.id, Key: r.def.Key, Target: r.def.Target, MaxRetry: r.def.MaxRetry, Created: r.def.Created,
		Status: r.status(), ErrorDetails: r.state.ErrorDetails, Retry: r.state.Retry, LastRetryAt: r.state.LastRetryAt,
	}
	next := true
	for n, cmd := range r.def.Commands {
		c := BatchCommand{Command: cmd, Status: exchange.Pending}
		if o, ok := r.replies[n]; ok {
			reply := o.reply
			c.Reply, c.Status, c.ErrorDetails = &reply, reply.Status, reply.ErrorDetails
		}
		if next && b.Status == BatchInProgress && c.Status != exchange.Succeeded {
			c.Status, next = exchange.InProgress, false
		}
		b.Commands = append(b.Commands, c)
	}
	return b
}

// poke has the scheduler look; v.mu need not be held.
func (v *batchView) poke() { signal(v.wake) }

func (v *batchView) get(id string) (Batch, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.records[id]; r != nil && r.defined {
		return r.batch(), true
	}
	return Batch{}, false
}

// ended tells whether a batch has ended, or is not there, and returns a channel
// that is closed with the next change.
func (v *batchView) ended(id string) (bool, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.records[id]
	return r == nil || !r.defined || r.status().Terminal(), v.news
}

func (v *batchView) revisionOf(id string) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.records[id]; r != nil {
		return r.revision
	}
	return 0
}

// size returns how many batches there are, and how many bytes they are.
func (v *batchView) size() (count, bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.records), v.bytes
}

func (v *batchView) list(keep func(Batch) bool) []Batch {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]Batch, 0, len(v.records))
	for _, r := range v.records {
		if b := r.batch(); r.defined && keep(b) {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b Batch) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all
}

// since returns what has changed after a version, the version now, and a channel
// that is closed with the next change.
func (v *batchView) since(version uint64, which Observed) ([]Batch, uint64, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var changed []*record
	look := func(r *record) {
		if r != nil && r.defined && r.version > version && (which.Key == "" || which.Key == r.def.Key) {
			changed = append(changed, r)
		}
	}
	if which.ID != "" {
		look(v.records[which.ID])
	} else {
		for _, r := range v.records {
			look(r)
		}
	}
	slices.SortFunc(changed, func(a, b *record) int { return cmp.Compare(a.version, b.version) })
	batches := make([]Batch, len(changed))
	for i, r := range changed {
		batches[i] = r.batch()
	}
	return batches, v.version, v.news
}

// targetIsBack lets the batches of a target go on at once.
func (v *batchView) targetIsBack(target string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.records {
		if r.defined && r.def.Target == target && !r.status().Terminal() {
			r.hurry = true
			v.poke()
		}
	}
}
