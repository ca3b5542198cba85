package controller

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// TestThePrimaryIsTheFormerOne: connectors come back after a restart in any order.
// The one that was primary is it again, if it is back soon.
func TestThePrimaryIsTheFormerOne(t *testing.T) {
	for _, back := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			fleet := cluster.NewMemory()
			on := func() *node { return run(t, func(o *Options) { o.Engine = fleet.Engine("one") }) }
			first := on()
			first.join("t", "p", nil)
			first.join("nameless", "", nil)
			synctest.Wait()
			first.join("t", "q", nil)
			synctest.Wait()
			first.stop()
			second := on()
			q := second.join("t", "q", nil)
			nameless := second.join("nameless", "", nil)
			synctest.Wait()
			if q.isPrimary() || !nameless.isPrimary() {
				t.Errorf("q is primary: %v, the one without a name: %v", q.isPrimary(), nameless.isPrimary())
			}
			if back {
				p := second.join("t", "p", nil)
				synctest.Wait()
				if !p.isPrimary() || q.isPrimary() {
					t.Error("the former primary is not it again")
				}
			} else {
				time.Sleep(formerGrace)
				synctest.Wait()
				if !q.isPrimary() {
					t.Error("nobody is primary")
				}
			}
			second.stop()
		})
	}
}

// TestTargetsComeBackAfterARestart: a target whose connector returns in time has
// not gone, one whose connector does not has, a lease later.
func TestTargetsComeBackAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := cluster.NewMemory()
		on := func() *node { return run(t, func(o *Options) { o.Engine = fleet.Engine("one") }) }
		first := on()
		p := first.join("back", "p", nil)
		first.join("gone", "q", nil)
		synctest.Wait()
		term := p.term()
		first.stop()
		if first.told(PrimaryVacated) != 0 {
			t.Error("stopping made the targets go")
		}
		second := on()
		p = second.join("back", "p", nil)
		time.Sleep(DefaultLease - time.Second)
		if !p.isPrimary() || p.term() <= term || second.told(PrimaryVacated) != 0 {
			t.Errorf("back: primary %v in term %d after %d; %d have gone", p.isPrimary(), p.term(), term, second.told(PrimaryVacated))
		}
		time.Sleep(2 * time.Second)
		if second.told(PrimaryVacated) != 1 {
			t.Errorf("%d have gone, want 1", second.told(PrimaryVacated))
		}
		second.stop()
	})
}

// TestAChannelThatHasGoneIsNotElected by a node that has yet to see that it has.
func TestAChannelThatHasGoneIsNotElected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := cluster.NewMemory()
		on := func(name string) *node { return run(t, func(o *Options) { o.Engine = fleet.Engine(name) }) }
		one, two := on("one"), on("two")
		synctest.Wait()
		one.registry.put(entry{Channel: Channel{ID: "gone", Target: "t", Active: true, Node: "two"}})
		synctest.Wait()
		if n := one.told(PrimaryElected); n != 0 {
			t.Errorf("elected %d times", n)
		}
		p := two.join("t", "p", nil)
		synctest.Wait()
		if !p.isPrimary() {
			t.Error("nobody is primary")
		}
		two.stop()
		one.stop()
	})
}

// TestARecordThatHasGoneUnseen was written by this node and taken out by another,
// and the watch, cut off meanwhile, can tell of neither.
func TestARecordThatHasGoneUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t, nil)
		n.registry.setPrimary("t", primary{Channel: "gone", Node: "one", revision: 7})
		p := n.join("t", "p", nil)
		synctest.Wait()
		if !p.isPrimary() {
			t.Error("nobody is primary")
		}
		n.stop()
	})
}
