package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
)

// A keeper whose processes rest allocates nothing.
func TestNothingIsAllocatedAtRest(t *testing.T) {
	const n = 20
	u := newUser(t)
	k := keeper.New(u.door)
	captures, procs := make([]*keeper.Capture, n), make([]*keeper.Process, n)
	for i := range n {
		key := fmt.Sprint("a", i)
		var err error
		if captures[i], err = k.Capture(t.Context(), key, u.output(key)); err != nil {
			t.Fatal(err)
		}
		if procs[i], err = captures[i].Spawn(t.Context(), process.Spec{Path: "/bin/sleep", Args: []string{"sleep", "600"}}); err != nil {
			t.Fatal(err)
		}
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	u.waitFor("a time without any allocation", func() bool {
		return testing.AllocsPerRun(1, func() {
			timer.Reset(300 * time.Millisecond)
			<-timer.C
		}) == 0
	})
	for i := range n {
		if left := procs[i].Kill(t.Context()); left != nil {
			t.Errorf("left: %v", left)
		}
		u.end(captures[i], procs[i])
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}
