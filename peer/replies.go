package peer

import (
	"encoding/json"
	"strconv"
	"sync"

	"github.com/seed-04209a44/peerd/exchange"
)

// Bounds of the replies that outlive the peer.
const (
	keptReplies  = 256      // the latest
	maxKeptReply = 64 << 10 // bytes of one payload; a larger one is not kept
)

// replies are the answers to the latest commands of the fleet that acted. They
// outlive the peer: a command that a controller sends again, because the peer
// died before its answer came through, is answered and has no second effect.
type replies struct {
	memory memory

	mu    sync.Mutex // guards all below
	known map[string]keptReply
	slots [keptReplies]string // keys of known, the oldest at next
	next  uint64              // number of the next one; its place in slots follows from it
}

// keptReply is an answer as the memory holds it.
type keptReply struct {
	Number uint64         `json:"number"`
	Key    string         `json:"key"`
	Reply  exchange.Reply `json:"reply"`
}

func slotKey(n uint64) string { return "reply/" + strconv.FormatUint(n%keptReplies, 10) }

// openReplies reads what an earlier peer has kept.
func openReplies(m memory) *replies {
	r := &replies{memory: m, known: map[string]keptReply{}}
	for n := range uint64(keptReplies) {
		raw, err := m.Get(slotKey(n))
		var k keptReply
		if err != nil || raw == nil || json.Unmarshal(raw, &k) != nil {
			continue
		}
		r.known[k.Key], r.slots[n] = k, k.Key
		r.next = max(r.next, k.Number+1)
	}
	return r
}

// answer returns the reply to cmd, from what was kept or from run; what run
// makes is on disk before it is returned.
func (r *replies) answer(cmd *exchange.Command, run func() exchange.Reply) exchange.Reply {
	key := cmd.Type + " " + cmd.ID
	if cmd.IdempotencyKey != "" {
		key = cmd.Type + " key " + cmd.IdempotencyKey
	}
	r.mu.Lock()
	k, found := r.known[key]
	r.mu.Unlock()
	if found {
		k.Reply.CommandID, k.Reply.TraceParent = cmd.ID, cmd.TraceParent
		return k.Reply
	}
	reply := run()
	if reply.Status == exchange.Succeeded && len(reply.Payload) <= maxKeptReply {
		r.keep(key, reply)
	}
	return reply
}

func (r *replies) keep(key string, reply exchange.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := keptReply{Number: r.next, Key: key, Reply: reply}
	if r.memory.Put(slotKey(k.Number), rawJSON(k)) != nil {
		return // the effect stands; only its repetition is not recognised after a crash
	}
	r.next++
	slot := k.Number % keptReplies
	delete(r.known, r.slots[slot])
	r.known[key], r.slots[slot] = k, key
}
