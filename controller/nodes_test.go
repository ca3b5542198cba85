package controller

import (
	"context"
	"errors"
	"testing"
)

// TestANodeThatWasStartedAnew is not the one that was asked before.
func TestANodeThatWasStartedAnew(t *testing.T) {
	r := newRegistry("a")
	if there, _ := r.whileThere(t.Context(), "b"); there != nil {
		t.Error("b is there before it came")
	}
	if !r.nodeCame("b", "first", 1) || r.nodeCame("b", "first", 2) {
		t.Error("b comes once")
	}
	there, cancel := r.whileThere(t.Context(), "b")
	defer cancel()
	if there.Err() != nil {
		t.Error("b is there, but", context.Cause(there))
	}
	if !r.nodeCame("b", "second", 3) {
		t.Error("b was started anew, which is no news")
	}
	<-there.Done()
	if !errors.Is(context.Cause(there), errNodeGone) {
		t.Error(context.Cause(there))
	}
	again, cancel := r.whileThere(t.Context(), "b")
	defer cancel()
	r.nodeGone("b")
	<-again.Done()
}
