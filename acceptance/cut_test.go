//go:build linux

package acceptance_test

import (
	"strconv"
	"testing"
	"time"
)

// longerThanALease is for how long controllers are cut from each other, at least.
const longerThanALease = 20 * time.Second

// TestControllersCutFromEachOther: two of three controllers do not reach each
// other, both reach the third. A peer of the one is commanded by way of the other
// all the while: at first commands may fail, and say so; then they go round by the
// third. None is carried out twice, and no controller is held for gone.
func TestControllersCutFromEachOther(t *testing.T) {
	s := newSite(t)
	far := s.peers[0]
	b := s.controllerOf(far)
	a := s.others(b)[0]
	n := a.Network()
	n.Cut(a.Host, b.Host)
	n.Cut(b.Host, a.Host)
	succeeded := make(map[uint64]bool)
	count := func() bool {
		number := uint64(len(succeeded) + 1)
		r := s.ccpc(a, "--peer", far.Name(), "--timeout", "10s", "send", "counter", "COUNT", strconv.FormatUint(number, 10))
		succeeded[number] = r.code == 0
		if r.code != 0 {
			t.Logf("command %d: exit code %d: %s", number, r.code, r.stderr)
		}
		if r.code != 0 && r.stderr == "" {
			t.Errorf("command %d failed with %d, and does not say why", number, r.code)
		}
		return succeeded[number]
	}
	began := time.Now()
	took := s.took("commands go round", count)
	t.Logf("commands go round after %v", took.Round(100*time.Millisecond))
	for time.Since(began) < longerThanALease {
		if !count() {
			t.Errorf("command %d failed after others had gone round", len(succeeded))
		}
	}
	if now := s.controllerOf(far); now != b {
		t.Errorf("%s has gone to %s", far.Name(), now.Name())
	}
	n.Mend(a.Host, b.Host)
	n.Mend(b.Host, a.Host)
	s.whole()
	effects := make(map[uint64]int)
	for _, d := range s.book.deeds() {
		if d.what == "counted" {
			effects[d.term]++
		}
	}
	for number, well := range succeeded {
		if n := effects[number]; n > 1 || well && n != 1 {
			t.Errorf("command %d (success: %v) was carried out %d times", number, well, n)
		}
	}
}
