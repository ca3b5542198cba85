package keeper

import "testing"

// What was lost is counted on by the next keeper, and newer news win in
// whatever order they come.
func TestLossIsHandedOver(t *testing.T) {
	w := newWord("k", "f")
	w.loses(5, "no space left on device")
	first := w.now().Loss
	w.loses(9, "no space left on device")
	second := w.now().Loss
	w.merge(Entry{Loss: first})
	if got := w.now().Loss; got != second || got.Bytes != 9 {
		t.Errorf("an older word counts: %+v", got)
	}
	next := newWord("k", "f")
	next.takeOver(second)
	if got := next.now().Loss; got.Bytes != 9 || got.Why != "" || next.lost() != 9 {
		t.Errorf("the next keeper begins with %+v", got)
	}
	w.merge(next.now())
	if got := w.now().Loss; got.Why != "" {
		t.Errorf("the user still believes %+v", got)
	}
	fresh := newWord("k", "f")
	if fresh.takeOver(nil); fresh.now().Loss != nil || fresh.lost() != 0 {
		t.Error("nothing was lost, and it is told")
	}
}
