package peer

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// notes is a memory; broken, it refuses.
type notes struct {
	kept   map[string][]byte
	broken error
}

func (n *notes) Get(key string) ([]byte, error) { return n.kept[key], nil }

func (n *notes) Put(key string, value []byte) error {
	switch {
	case n.broken != nil:
	case value == nil:
		delete(n.kept, key)
	default:
		n.kept[key] = value
	}
	return n.broken
}

func newStanding(n *notes) *standing {
	s := &standing{memory: n, lease: primaryLease, changed: func() {}}
	s.join("billing")
	return s
}

// may says what of an instance that runs on the primary only is allowed now.
func may(s *standing) string {
	switch p := s.permit(&profiles.Spec{RunOn: "primary"}); {
	case p == supervisor.Permit{}:
		return "start"
	case p.Leave:
		return "nothing"
	default:
		return "go on"
	}
}

func primary(term uint64) exchange.Primary { return exchange.Primary{Primary: true, Term: term} }

// TestStanding plays what can happen to a connector, step by step.
func TestStanding(t *testing.T) {
	type step struct {
		do   func(*standing)
		want string
	}
	tell := func(p exchange.Primary) func(*standing) { return func(s *standing) { _ = s.tell(p) } }
	wait := func(d time.Duration) func(*standing) { return func(*standing) { time.Sleep(d); synctest.Wait() } }
	connect, disconnect := (*standing).connect, (*standing).disconnect
	for name, steps := range map[string][]step{
		"nobody has said anything": {{connect, "nothing"}, {wait(time.Hour), "nothing"}},
		"elected and deposed":      {{connect, "nothing"}, {tell(primary(1)), "start"}, {tell(exchange.Primary{Term: 2}), "nothing"}},
		"elected, then a late word of an earlier term": {
			{connect, "nothing"}, {tell(primary(5)), "start"}, {tell(exchange.Primary{Term: 4}), "start"},
		},
		"a controller without terms": {{connect, "nothing"}, {tell(primary(0)), "start"}, {tell(exchange.Primary{}), "nothing"}},
		"lost for longer than the lease": {
			{connect, "nothing"},
			{tell(primary(1)), "start"},
			{disconnect, "go on"},
			{wait(primaryLease - 1), "go on"},
			{wait(1), "nothing"},
		},
		"back in time, and confirmed": {
			{connect, "nothing"},
			{tell(primary(1)), "start"},
			{disconnect, "go on"},
			{wait(primaryLease / 2), "go on"},
			{connect, "go on"},
			{tell(primary(1)), "start"},
			{wait(time.Hour), "start"},
		},
		"back in time, and not confirmed": {
			{connect, "nothing"}, {tell(primary(1)), "start"}, {disconnect, "go on"}, {connect, "go on"}, {wait(primaryLease), "nothing"},
		},
		"back in time, and another was elected": {
			{connect, "nothing"}, {tell(primary(1)), "start"}, {disconnect, "go on"}, {connect, "go on"}, {tell(exchange.Primary{Term: 2}), "nothing"},
		},
		"losing it again and again gives no longer lease": {
			{connect, "nothing"},
			{tell(primary(1)), "start"},
			{disconnect, "go on"},
			{wait(primaryLease / 2), "go on"},
			{connect, "go on"},
			{disconnect, "go on"},
			{wait(primaryLease / 2), "nothing"},
		},
		"PRIMARY overtakes the news of the connection": {{tell(primary(1)), "go on"}, {connect, "start"}, {wait(time.Hour), "start"}},
		"no fleet any more":                            {{connect, "nothing"}, {(*standing).leave, "start"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStanding(&notes{kept: map[string][]byte{}})
				for i, step := range steps {
					step.do(s)
					if got := may(s); got != step.want {
						t.Fatalf("after step %d it may %q, want %q", i+1, got, step.want)
					}
				}
				s.leave() // ends the lease's timer
			})
		})
	}
}

func TestStandingOutlivesThePeer(t *testing.T) {
	n := &notes{kept: map[string][]byte{}}
	first := newStanding(n)
	first.connect()
	if err := first.tell(primary(7)); err != nil {
		t.Fatal(err)
	}
	again := newStanding(n)
	defer again.leave()
	if got := may(again); got != "go on" {
		t.Errorf("what ran on the primary may %q after the peer was restarted", got)
	}
	if err := again.tell(primary(6)); err == nil {
		t.Error("a term that was over before the restart is accepted")
	}
	elsewhere := &standing{memory: n, lease: primaryLease, changed: func() {}}
	elsewhere.join("shipping")
	defer elsewhere.leave()
	if err := elsewhere.tell(primary(1)); err != nil {
		t.Errorf("the terms of another target count: %v", err)
	}
}

func TestTermThatCannotBeRememberedIsRefused(t *testing.T) {
	n := &notes{kept: map[string][]byte{}, broken: errors.New("disk full")}
	s := newStanding(n)
	defer s.leave()
	s.connect()
	if err := s.tell(primary(1)); !errors.Is(err, n.broken) {
		t.Errorf("tell = %v", err)
	}
	if got := may(s); got != "nothing" {
		t.Errorf("it may %q", got)
	}
}

func TestRepliesAreBounded(t *testing.T) {
	n := &notes{kept: map[string][]byte{}}
	r := openReplies(n)
	ran := 0
	ask := func(r *replies, id int) {
		r.answer(t.Context(), &exchange.Command{ID: strconv.Itoa(id), Type: "RESTART"}, func(*attempt) exchange.Reply {
			ran++
			return exchange.Reply{Status: exchange.Succeeded, Payload: []byte("{}")}
		})
	}
	for id := range keptReplies + 10 {
		ask(r, id)
	}
	if len(r.known) != keptReplies || len(n.kept) != keptReplies {
		t.Errorf("%d known, %d kept", len(r.known), len(n.kept))
	}
	next := openReplies(n)
	ran = 0
	for id := 10; id < keptReplies+10; id++ {
		ask(next, id)
	}
	if ran != 0 {
		t.Errorf("%d of the latest were run again", ran)
	}
	if ask(next, 0); ran != 1 {
		t.Error("the oldest is still known")
	}
}

// A peer that has slept says nothing of its office before the controller has
// been heard again, however connected it believes to be.
func TestStaleConfirmationIsNotHandedOn(t *testing.T) {
	s := newStanding(&notes{kept: map[string][]byte{}})
	heard := time.Now()
	s.listen(func() time.Time { return heard })
	s.connect()
	if _, confirmed := s.word(); confirmed {
		t.Error("confirmed before a word of the controller")
	}
	if err := s.tell(exchange.Primary{Primary: true, Term: 3}); err != nil {
		t.Fatal(err)
	}
	word, confirmed := s.word()
	if !confirmed || word.Term != 3 || word.ValidMs <= 0 || word.ValidMs > s.lease.Milliseconds() {
		t.Errorf("%+v, %v", word, confirmed)
	}
	heard = heard.Add(-s.lease)
	if word, confirmed := s.word(); confirmed {
		t.Errorf("the controller was heard a lease ago: %+v", word)
	}
	s.leave()
	if word, confirmed := s.word(); !confirmed || word.ValidMs != 0 {
		t.Errorf("without a fleet: %+v, %v", word, confirmed)
	}
}

// TestRepliesOfTheInterrupted: a command that had begun when the peer died is
// known by what it had found; one that failed is as if it had never come.
func TestRepliesOfTheInterrupted(t *testing.T) {
	n := &notes{kept: map[string][]byte{}}
	views := []*supervisor.View{{Key: supervisor.Key{Application: "a", Name: "b"}, Machine: lifecycle.Machine{Generation: 7}}}
	cmd := &exchange.Command{ID: "1", Type: "RESTART"}
	status := exchange.Failed
	begin := func(a *attempt) exchange.Reply {
		if err := a.begin(views); err != nil {
			t.Fatal(err)
		}
		return exchange.Reply{Status: status, Payload: []byte("{}")}
	}
	openReplies(n).answer(t.Context(), cmd, begin)
	if len(n.kept) != 0 {
		t.Errorf("a failed command is kept: %s", n.kept)
	}
	func() {
		defer func() { _ = recover() }() // the peer dies over it
		openReplies(n).answer(t.Context(), cmd, func(a *attempt) exchange.Reply { begin(a); panic("killed") })
	}()
	again := func(want bool, views []*supervisor.View, begun bool) func(*attempt) exchange.Reply {
		return func(a *attempt) exchange.Reply {
			r, found := a.resumed(views)[views[0].Key]
			if a.again != want || found != want || found && r.begun() != begun {
				t.Errorf("again %v, resumed %v; want %v, begun %v", a.again, r, want, begun)
			}
			return exchange.Reply{Status: exchange.Succeeded, Payload: []byte("{}")}
		}
	}
	unknown := func(a *attempt) exchange.Reply {
		if _, err := a.ask(views[0], false); err == nil {
			t.Error("a component without the feature is asked again")
		}
		return exchange.Reply{Status: exchange.Failed}
	}
	for range 2 { // and so it stays
		if r := openReplies(n).answer(t.Context(), cmd, unknown); r.Type != exchange.TypeOutcomeUnknown {
			t.Errorf("where nobody can know the answer is %+v", r)
		}
	}
	later := []*supervisor.View{{Key: views[0].Key, Machine: lifecycle.Machine{Generation: 8}}}
	r := openReplies(n)
	r.answer(t.Context(), cmd, again(true, later, true))
	r.answer(t.Context(), cmd, func(*attempt) exchange.Reply { t.Error("run again after success"); return exchange.Reply{} })
	r.answer(t.Context(), &exchange.Command{ID: "2", Type: "RESTART"}, again(false, views, false))
}

// TestRepliesNobodyHeard: the connection was lost in the middle. Whether its
// handler says so, or makes an outcome of it, the next attempt goes on.
func TestRepliesNobodyHeard(t *testing.T) {
	views := []*supervisor.View{{Key: supervisor.Key{Application: "a", Name: "b"}, Machine: lifecycle.Machine{Generation: 7}}}
	cmd := &exchange.Command{ID: "1", Type: "RESTART"}
	for _, status := range []exchange.Status{exchange.Succeeded, exchange.Failed} {
		r := openReplies(&notes{kept: map[string][]byte{}})
		lost, cancel := context.WithCancel(t.Context())
		reply := r.answer(lost, cmd, func(a *attempt) exchange.Reply {
			if err := a.beginLasting(views); err != nil {
				t.Fatal(err)
			}
			cancel()
			return exchange.Reply{Status: status, Payload: []byte("{}")}
		})
		if reply.Status != exchange.Failed {
			t.Errorf("after %s: %+v", status, reply)
		}
		r.answer(t.Context(), cmd, func(a *attempt) exchange.Reply {
			if again := a.resumed(views); !a.again || len(again) != 1 {
				t.Errorf("after %s: it began anew", status)
			}
			return exchange.Reply{Status: exchange.Succeeded, Payload: []byte("{}")}
		})
	}
}

// TestRepliesUnderWayAreNotForgotten: the oldest make room, but never one that
// has begun.
func TestRepliesUnderWayAreNotForgotten(t *testing.T) {
	n := &notes{kept: map[string][]byte{}}
	r := openReplies(n)
	for id := range keptReplies {
		if err := r.keep(strconv.Itoa(id), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.keep("one more", nil, nil); !errors.Is(err, errTooMany) {
		t.Errorf("keep = %v", err)
	}
	r.rest("5")
	if err := r.keep("one more", nil, nil); err != nil || r.known["5"] != nil || r.known["6"] == nil {
		t.Errorf("keep = %v", err)
	}
}
