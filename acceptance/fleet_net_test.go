//go:build linux

package acceptance_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/internal/testnet"
)

// trouble is what is done to a fleet: it happens to some machine, and whatever it
// has done is undone when heal is called. moves is whether another peer must be
// primary while it lasts.
type trouble struct {
	name  string
	moves bool
	cause func(s *site, primary *machine) (heal func())
}

func isolated(m *machine) (heal func()) { m.Isolate(); return m.Rejoin }

// without isolates a controller, and waits until its peers are on the others.
func (s *site) without(c *machine) (heal func()) {
	s.t.Helper()
	c.Isolate()
	s.leave(c)
	return c.Rejoin
}

// absent isolates a controller until what is deleted meanwhile leaves no trace: the
// channel of a peer that is started anew.
func (s *site) absent(c *machine) (heal func()) {
	s.t.Helper()
	until := time.Now()
	if soak() {
		until = until.Add(75 * time.Second)
	}
	rejoin := s.without(c)
	s.peers[0].killPeerd(nil)
	return func() { <-time.After(time.Until(until)); rejoin() }
}

// unheard has the others not reach a controller, or it not reach them, and waits
// until it has sent its peers to them.
func (s *site) unheard(c *machine, sends bool) (heal func()) {
	s.t.Helper()
	heal = s.oneWay(c, sends)
	s.leave(c)
	return heal
}

// leave waits until the peers of a controller are with the others, and the engine's
// leader is another one.
func (s *site) leave(c *machine) {
	s.t.Helper()
	s.took("the peers are with the other controllers, and another one leads", func() bool {
		peers, _ := s.seen(s.others(c)[0])
		leader := s.leaderFor(s.others(c)[0])
		return leader != nil && leader != c && len(peers) == sitePeers && !slices.ContainsFunc(s.peers, func(p *machine) bool {
			return !p.connected() || s.controllerOf(p) == c
		})
	})
}

// fromTheOthers cuts a controller off from the other ones, and from no peer.
func fromTheOthers(s *site, c *machine) (heal func()) {
	there, back := s.oneWay(c, true), s.oneWay(c, false)
	return func() { there(); back() }
}

// oneWay has nothing that a controller sends reach the other ones, or nothing
// that they send reach it.
func (s *site) oneWay(c *machine, sends bool) (heal func()) {
	each := func(do func(from, to *testnet.Host)) {
		for _, other := range s.others(c) {
			if sends {
				do(c.Host, other.Host)
			} else {
				do(other.Host, c.Host)
			}
		}
	}
	each(c.Network().Cut)
	return func() { each(c.Network().Mend) }
}

// toTheController is the two directions between a peer and its controller.
func toTheController(s *site, p *machine, from, to func(p, c *machine) *machine) (heal func()) {
	n, c := p.Network(), s.controllerOf(p)
	a, b := from(p, c), to(p, c)
	n.Cut(a.Host, b.Host)
	return func() { n.Mend(a.Host, b.Host) }
}

func first(a, _ *machine) *machine  { return a }
func second(_, b *machine) *machine { return b }

// troubles are told apart by what they need: those of one row are done to one
// fleet, one after the other.
var troubles = [][]trouble{
	{
		{"the primary's controller, from all", true, func(s *site, p *machine) func() { return isolated(s.controllerOf(p)) }},
		{"the primary's controller, from the other ones", true, func(s *site, p *machine) func() { return fromTheOthers(s, s.controllerOf(p)) }},
		{"another controller, from all", false, func(s *site, p *machine) func() { return s.without(s.others(s.controllerOf(p))[0]) }},
		{"another controller, for long", false, func(s *site, p *machine) func() { return s.absent(s.others(s.controllerOf(p))[0]) }},
		{"the primary's controller to the other ones", true, func(s *site, p *machine) func() { return s.oneWay(s.controllerOf(p), true) }},
		{"the other ones to the primary's controller", true, func(s *site, p *machine) func() { return s.oneWay(s.controllerOf(p), false) }},
		{"the primary's controller, flapping", false, func(s *site, p *machine) func() { return s.flap(s.controllerOf(p)) }},
	},
	{
		{"the primary, from all", true, func(_ *site, p *machine) func() { return isolated(p) }},
		{"the primary to its controller", true, func(s *site, p *machine) func() { return toTheController(s, p, first, second) }},
		{"its controller to the primary", true, func(s *site, p *machine) func() { return toTheController(s, p, second, first) }},
		{"the primary, flapping", false, func(s *site, p *machine) func() { return s.flap(p) }},
	},
	{
		{"the engine's leader, from all", false, func(s *site, _ *machine) func() { return s.without(s.leader()) }},
		{"the engine's leader to the other ones", false, func(s *site, _ *machine) func() { return s.unheard(s.leader(), true) }},
		{"the other ones to the engine's leader", false, func(s *site, _ *machine) func() { return s.unheard(s.leader(), false) }},
		{"the engine's leader, flapping", false, func(s *site, _ *machine) func() { return s.flap(s.leader()) }},
	},
	{
		{"the primary sleeps", true, func(s *site, p *machine) func() { return s.sleep(p) }},
		{"the primary's controller sleeps", true, func(s *site, p *machine) func() { return s.sleep(s.controllerOf(p)) }},
		{"the primary without its cable", true, func(_ *site, p *machine) func() { p.Unplug(); return p.Plug }},
	},
}

// asleep is how long a machine sleeps: past its leases.
func asleep() time.Duration {
	if soak() {
		return 45 * time.Second
	}
	return 17 * time.Second
}

func (s *site) sleep(m *machine) (heal func()) {
	thaw, until := s.freeze(m), time.Now().Add(asleep())
	return func() {
		m.waitFor("it has slept long enough", func() bool { return time.Now().After(until) })
		thaw()
	}
}

// flap isolates a machine and lets it rejoin, once a second, for a while.
func (s *site) flap(m *machine) (heal func()) {
	stop, until := m.Flap(time.Second), time.Now().Add(8*time.Second)
	return func() {
		m.waitFor("it has flapped long enough", func() bool { return time.Now().After(until) })
		stop()
	}
}

// TestFleetInTrouble: whatever is cut, flaps or sleeps, there is a primary again,
// no term has two, and no command of a batch is lost or done twice.
func TestFleetInTrouble(t *testing.T) {
	rows := troubles
	if soak() { // each to a fleet of its own
		rows = nil
		for _, tr := range slices.Concat(troubles...) {
			rows = append(rows, []trouble{tr})
		}
	}
	for _, row := range rows {
		t.Run(strings.ReplaceAll(row[0].name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			for _, tr := range row {
				s.suffer(tr, rounds(1, 20))
			}
			oneByTerm(t, s.book.deeds())
		})
	}
}

// suffer has a trouble happen some times, and tells how long it took until
// another primary acted, and until all was well again.
func (s *site) suffer(tr trouble, times int) {
	s.t.Helper()
	var moved, healed []time.Duration
	for range times {
		primary, term := s.primary()
		by := s.controllers[0]
		id := s.count(by)
		heal := tr.cause(s, primary)
		if tr.moves {
			moved = append(moved, s.took(tr.name+": a primary acts in a new term", func() bool {
				_, now := s.primary()
				return now > term
			}))
		}
		heal()
		began := time.Now()
		s.whole()
		healed = append(healed, time.Since(began))
		s.counted(id)
		oneByTerm(s.t, s.book.deeds())
	}
	s.t.Logf("%s: another primary after %s, healed after %s", tr.name, spread(moved), spread(healed))
}

// spread is the least, the middle and the greatest of some durations.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "-"
	}
	slices.Sort(all)
	round := func(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }
	if len(all) == 1 {
		return round(all[0])
	}
	return round(all[0]) + " / " + round(all[len(all)/2]) + " / " + round(all[len(all)-1])
}
