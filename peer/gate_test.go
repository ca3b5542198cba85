package peer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/keeper"
)

// A gate that is shut lets out and not in; one that could not be shut in time is
// open again and says why.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if err := g.enter(t.Context(), "a hook"); err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.shut(soon); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a hook") {
			t.Errorf("shut over somebody inside: %v", err)
		}
		if err := g.enter(t.Context(), "a spawn"); err != nil {
			t.Errorf("open again: %v", err)
		}
		shut := make(chan error, 1)
		go func() { shut <- g.shut(t.Context()) }()
		synctest.Wait()
		entered := make(chan error, 1)
		go func() { entered <- g.enter(t.Context(), "late") }()
		g.leave("a hook")
		g.add("its child") // of somebody inside
		g.leave("a spawn")
		synctest.Wait()
		if len(shut)+len(entered) > 0 {
			t.Error("shut over a child, or entered")
		}
		g.leave("its child")
		if err := <-shut; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(entered) > 0 {
			t.Error("entered a gate that is shut")
		}
		g.open()
		if err := <-entered; err != nil {
			t.Error(err)
		}
		g.leave("late")
	})
}

// Who waits at a gate that stays shut hears why when the peer is handed over.
func TestOrdersAreToldToAskAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w passage
		w.init()
		if err := w.orders.shut(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := make(chan error, 1)
		go func() {
			_, err := w.order(t.Context(), "a command")
			told <- err
		}()
		synctest.Wait()
		w.leave(errAskAgain)
		if err := <-told; !errors.Is(err, errAskAgain) {
			t.Errorf("told %v", err)
		}
	})
}

// A peer ends in one way: who decides first decides.
func TestTheEndIsDecidedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w passage
		w.init()
		if !w.decide(passesOn) || w.decide(stops) {
			t.Error("decided twice")
		}
		stopped := make(chan *succession, 1)
		go func() { stopped <- w.orStop() }()
		synctest.Wait()
		w.undecide()
		if s := <-stopped; s != nil || w.decide(passesOn) {
			t.Errorf("stops with %v", s)
		}
		w.init()
		w.end = passesOn
		s := &succession{}
		w.begun <- s
		if w.orStop() != s {
			t.Error("stops although it is handed over")
		}
	})
}

// The document of a handover that is not understood is refused, and what is
// understood comes through.
func TestAnswerOfACandidate(t *testing.T) {
	good := Check(Question{Profile: "../profiles/quickstart.yaml"})
	if good.Profile != "" || good.StateDir == "" || good.Version == "" {
		t.Fatalf("%+v", good)
	}
	own := keeper.Own().Protocol
	if err := good.fault(good.StateDir, own); err != nil {
		t.Error(err)
	}
	for words, change := range map[string]func(*Answer){
		"by way of a version": func(a *Answer) { a.Formats = [2]int{2, 3} },
		"too old":             func(a *Answer) { a.Journal = 0 },
		"talks to keepers":    func(a *Answer) { a.Keeper = 99 },
		"line 7":              func(a *Answer) { a.Profile = "line 7" },
		"state folder":        func(a *Answer) { a.StateDir = "/else" },
	} {
		a := good
		change(&a)
		if err := a.fault(good.StateDir, own); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	if bad := Check(Question{Profile: "nowhere.yaml"}); !strings.Contains(bad.Profile, "nowhere.yaml") {
		t.Errorf("%+v", bad)
	}
}
