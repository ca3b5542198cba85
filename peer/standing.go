package peer

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// primaryLease is how long a primary that has lost its controller goes on
// running what runs on the primary only: long enough for a controller to be
// restarted, short enough for another peer to be alone soon.
const primaryLease = 10 * time.Second

const standingKey = "connector"

// standing is the peer's place among the connectors of its target: whether it
// is the primary, and in which term. The term is on disk before it counts, so a
// peer that comes back refuses what is over. Without a fleet the peer is its
// own primary.
type standing struct {
	memory  memory
	changed func() // told, without the lock, when permit may answer otherwise
	lease   time.Duration

	telling sync.Mutex // one word of a controller at a time; held while the disk is written

	mu        sync.Mutex // guards all below; never held for long
	joined    bool
	connected bool
	told      bool             // on this connection: primary
	heard     func() time.Time // when the controller was there, on this connection
	timer     *time.Timer      // the lease, while it runs
	serial    int              // of the latest lease
	past      past
}

// memory outlives the peer: its journal.
type memory interface {
	Get(key string) ([]byte, error)
	Put(key string, value []byte) error
}

// past is what of a standing survives the peer.
type past struct {
	Target  string `json:"target"`
	Term    uint64 `json:"term"`
	Primary bool   `json:"primary"` // by the controller's last word
}

// join begins as a connector of target. A peer that was its primary when it was
// last heard of may still be: what runs goes on for one lease.
func (s *standing) join(target string) {
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.joined && s.past.Target == target {
		return
	}
	s.joined = true
	var before past
	if raw, err := s.memory.Get(standingKey); err == nil && raw != nil {
		_ = json.Unmarshal(raw, &before) // without it the terms start over
	}
	s.past = past{Target: target}
	if before.Target == target {
		s.past = before
	}
	if s.past.Primary {
		s.arm()
	}
}

// leave makes the peer its own primary.
func (s *standing) leave() {
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined, s.connected, s.told = false, false, false
	s.disarm()
}

// listen takes in how to learn, on the connection that is about to be, when the
// controller was there for certain.
func (s *standing) listen(heard func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = heard
}

func (s *standing) connect() {
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = true
	if s.told { // PRIMARY overtook the news of the connection
		s.disarm()
	}
}

func (s *standing) disconnect() {
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told && s.timer == nil {
		s.arm()
	}
	s.connected, s.told = false, false
}

// tell takes in what the controller says. A term that is over is refused, and
// so is what the journal cannot remember.
func (s *standing) tell(p exchange.Primary) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	before := s.past
	s.mu.Unlock()
	if p.Term != 0 && p.Term < before.Term {
		return fmt.Errorf("term %d of target %q is over: term %d has begun", p.Term, before.Target, before.Term)
	}
	next := past{Target: before.Target, Term: max(p.Term, before.Term), Primary: p.Primary}
	if next != before {
		if err := s.memory.Put(standingKey, rawJSON(next)); err != nil {
			return fmt.Errorf("cannot remember term %d: %w", next.Term, err)
		}
	}
	s.believe(next)
	return nil
}

// believe makes what the disk remembers count.
func (s *standing) believe(next past) {
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past, s.told = next, next.Primary
	if s.connected || !s.told {
		s.disarm()
	} else { // the connection is not known yet, or no more
		s.arm()
	}
}

// arm begins the lease; s.mu must be held.
func (s *standing) arm() {
	s.disarm()
	serial := s.serial
	s.timer = time.AfterFunc(s.lease, func() { s.expire(serial) })
}

// disarm ends the lease, also one that is just about to expire.
func (s *standing) disarm() {
	s.serial++
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

func (s *standing) expire(serial int) {
	defer s.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serial == serial {
		s.timer = nil
	}
}

// office returns the term, and whether the controller's last word, or a lease
// on it, makes this peer the primary.
func (s *standing) office() (term uint64, primary bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.past.Term, s.told || s.timer != nil
}

// permit is the supervisor's question: what runs on the primary only is started
// by a confirmed primary, and may go on through a lease.
func (s *standing) permit(spec *profiles.Spec) supervisor.Permit {
	if spec.RunOn != "primary" {
		return supervisor.Permit{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.joined, s.connected && s.told:
		return supervisor.Permit{}
	case s.timer != nil:
		return supervisor.Permit{Wait: fmt.Sprintf("it runs on the primary only, and no controller confirms that this peer is still that of target %q", s.past.Target)}
	default:
		return supervisor.Permit{Wait: fmt.Sprintf("it runs on the primary only, and this peer is not that of target %q", s.past.Target), Leave: true}
	}
}

// leaseOf is how long an instance may go on when the peer itself is gone; 0 is
// for ever.
func (s *standing) leaseOf(spec *profiles.Spec) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.joined && spec.RunOn == "primary" {
		return s.lease
	}
	return 0
}

// holdsOffice reports whether something still runs that only the primary runs:
// until it is down, the term is not given up.
func holdsOffice(views []*supervisor.View) bool {
	for _, v := range views {
		if v.Spec.RunOn == "primary" && !v.AtRest() {
			return true
		}
	}
	return false
}
