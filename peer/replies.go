package peer

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"

	"github.com/seed-04209a44/peerd/exchange"
)

// Bounds of what of the fleet's commands outlives the peer.
const (
	keptReplies  = 256      // the latest
	maxKeptReply = 64 << 10 // bytes of one payload; a larger one is not kept
)

// replies are the latest commands of the fleet that acted: what they found
// before they began, and how they were answered. They outlive the peer: a
// command that a controller sends again, because the peer died over it, has no
// second effect. One that was answered is answered as before; one that had begun
// goes on, by what it had found (see attempt).
type replies struct {
	memory memory

	mu    sync.Mutex // guards all below
	known map[string]*keptCommand
	slots [keptReplies]*keptCommand // each at the place its number gives it
	next  uint64                    // number of the next one
}

// keptCommand is a command as the memory holds it.
type keptCommand struct {
	Number uint64            `json:"number"`
	Key    string            `json:"key"`
	Found  map[string]uint64 `json:"found,omitempty"` // generations, before it began
	Reply  *exchange.Reply   `json:"reply,omitempty"` // nil: it has begun

	running bool // in this process
}

func slotKey(n uint64) string { return "reply/" + strconv.FormatUint(n%keptReplies, 10) }

// openReplies reads what an earlier peer has kept.
func openReplies(m memory) *replies {
	r := &replies{memory: m, known: map[string]*keptCommand{}}
	for n := range uint64(keptReplies) {
		raw, err := m.Get(slotKey(n))
		var k keptCommand
		if err != nil || raw == nil || json.Unmarshal(raw, &k) != nil {
			continue
		}
		r.known[k.Key], r.slots[n] = &k, &k
		r.next = max(r.next, k.Number+1)
	}
	return r
}

// answer returns the reply to cmd, from what was kept or from run; what run
// makes is on disk before it is returned. Of one command at a time, see
// exchange.ReplyCache. Where ctx ended meanwhile nobody hears the reply, and
// whoever sends the command again goes on with it.
func (r *replies) answer(ctx context.Context, cmd *exchange.Command, run func(*attempt) exchange.Reply) exchange.Reply {
	a := &attempt{r: r, key: cmd.Type + " " + cmd.ID}
	if cmd.IdempotencyKey != "" {
		a.key = cmd.Type + " key " + cmd.IdempotencyKey
	}
	r.mu.Lock()
	k := r.known[a.key]
	if k != nil && k.Reply == nil {
		k.running = true
		a.found, a.again = k.Found, true
	}
	r.mu.Unlock()
	if k != nil && k.Reply != nil {
		reply := *k.Reply
		reply.CommandID, reply.TraceParent = cmd.ID, cmd.TraceParent
		return reply
	}
	reply := run(a)
	if a.unknown {
		reply.Type = exchange.TypeOutcomeUnknown
	}
	switch {
	case ctx.Err() != nil && (a.lasting || reply.Status != exchange.Succeeded):
		r.rest(a.key)
		return exchange.Reply{
			CommandID: cmd.ID, Type: cmd.Type, Status: exchange.Failed, TraceParent: cmd.TraceParent,
			ErrorDetails: "interrupted: " + ctx.Err().Error() + "; it goes on when the command comes again",
		}
	case reply.Status == exchange.Succeeded && len(reply.Payload) <= maxKeptReply:
		_ = r.keep(a.key, a.found, &reply) // the effect stands; after a crash it would be looked for again
	case reply.Status == exchange.Succeeded, a.unknown, a.left:
		r.rest(a.key)
	default:
		r.drop(a.key) // it may be tried again
	}
	return reply
}

// errTooMany refuses a command while no more of them can be remembered.
var errTooMany = errors.New("too many commands at one time; try again later")

// keep puts what is known of a command on disk, in the place of the oldest one
// that is over.
func (r *replies) keep(key string, found map[string]uint64, reply *exchange.Reply) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := &keptCommand{Key: key, Found: found, Reply: reply, running: reply == nil}
	if old := r.known[key]; old != nil {
		k.Number = old.Number
	} else {
		for n := 0; ; n++ {
			if n == keptReplies {
				return errTooMany
			}
			k.Number = r.next
			r.next++
			if s := r.slots[k.Number%keptReplies]; s == nil || !s.running {
				break
			}
		}
	}
	if err := r.memory.Put(slotKey(k.Number), rawJSON(k)); err != nil {
		return err
	}
	if old := r.slots[k.Number%keptReplies]; old != nil {
		delete(r.known, old.Key)
	}
	r.known[key], r.slots[k.Number%keptReplies] = k, k
	return nil
}

// rest leaves what is on disk of a command as it is.
func (r *replies) rest(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := r.known[key]; k != nil {
		k.running = false
	}
}

// drop forgets a command that has failed.
func (r *replies) drop(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.known[key]
	if k == nil {
		return
	}
	k.running = false
	if r.memory.Put(slotKey(k.Number), nil) == nil {
		delete(r.known, key)
		r.slots[k.Number%keptReplies] = nil
	}
}
