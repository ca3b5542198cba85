package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/cluster"
)

// severed is an engine that does not reach some nodes.
type severed struct {
	cluster.Engine
	from atomic.Pointer[[]string] // names of nodes
	lose atomic.Bool              // what is sent to a node arrives, and its answer does not
}

func (s *severed) cut(from ...string) { s.from.Store(&from) }

func (s *severed) Request(ctx context.Context, subject string, data []byte, each func([]byte) error) ([]byte, error) {
	node := subject[strings.LastIndex(subject, "/")+1:]
	if from := s.from.Load(); from != nil && slices.Contains(*from, node) {
		return nil, cluster.ErrNobody
	}
	answer, err := s.Engine.Request(ctx, subject, data, each)
	if s.lose.Load() && strings.Contains(subject, "/node/") {
		return nil, cluster.ErrLost
	}
	return answer, err
}

// triangle runs three controllers of which a and b do not reach each other. A
// peer of target t is with b.
func triangle(t *testing.T) (doors []*severed, all []*node, p *peer) {
	t.Helper()
	fleet := cluster.NewMemory()
	for _, name := range []string{"a", "b", "c"} {
		door := &severed{Engine: fleet.Engine(name)}
		doors = append(doors, door)
		all = append(all, run(t, func(o *Options) { o.Engine = door }))
	}
	p = all[1].join("t", "p", nil)
	synctest.Wait()
	doors[0].cut("b")
	doors[1].cut("a")
	return doors, all, p
}

func stopAll(all []*node) {
	for _, n := range all {
		n.stop()
	}
}

// TestAWayRound: controllers that are cut from each other reach each other's
// peers by way of a third that both reach, for as long as it takes.
func TestAWayRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all, p := triangle(t)
		defer stopAll(all)
		a := all[0]
		time.Sleep(time.Minute) // the cut node is not held for gone
		a.echo("t", Choice{})
		a.echo("t", Choice{Primary: true})
		if _, err := a.Send(t.Context(), "t", command(t, "EFFECT", 1), Choice{}); err != nil || len(p.effects()) != 1 {
			t.Errorf("%d effects, %v", len(p.effects()), err)
		}
		if _, err := a.Send(t.Context(), "t", command(t, "NEVER", nil), Choice{}); !errors.Is(err, exchange.ErrUnknown) {
			t.Errorf("an unknown command: %v", err)
		}
		var got []string
		reply, err := a.Stream(t.Context(), "t", command(t, "NUMBERS", 300), Choice{}, func(r exchange.Reply) error {
			got = append(got, string(r.Payload))
			return nil
		})
		if err != nil || reply.Status != exchange.Succeeded || !slices.Equal(got, numbers(300)) {
			t.Errorf("%d replies, then %+v, %v", len(got), reply, err)
		}
		b := a.execute(Batch{Target: "t", Commands: []BatchCommand{{Command: command(t, "EFFECT", 2)}, {Command: command(t, "EFFECT", 3)}}})
		if b, err = a.Batches().Wait(t.Context(), b.ID); err != nil || b.Status != BatchSucceeded || len(p.effects()) != 3 {
			t.Errorf("%+v, %v, effects %v", b, err, p.effects())
		}
	})
}

// TestAWayRoundEndsWithItsCaller: the deadline and the caller's end reach the
// peer by the same way.
func TestAWayRoundEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all, p := triangle(t)
		defer stopAll(all)
		timed, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := all[0].Send(timed, "t", command(t, "HANG", nil), Choice{}); !errors.Is(err, exchange.ErrTimeout) {
			t.Errorf("past the deadline: %v", err)
		}
		synctest.Wait()
		if p.hung() != 0 {
			t.Error("it hangs past the deadline")
		}
		ctx, giveUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := all[0].Send(ctx, "t", command(t, "HANG", nil), Choice{}); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
		synctest.Wait()
		if p.hung() != 1 {
			t.Error("it does not hang")
		}
		giveUp()
		wg.Wait()
		synctest.Wait()
		if p.hung() != 0 {
			t.Error("it hangs though nobody waits")
		}
	})
}

// TestNoWayRound: who has no third that reaches the other is told at once that
// nothing was sent, or that it may have been. Nothing is run twice.
func TestNoWayRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doors, all, p := triangle(t)
		defer stopAll(all)
		doors[2].lose.Store(true)
		_, err := all[0].Send(t.Context(), "t", command(t, "EFFECT", 1), Choice{})
		if !errors.Is(err, exchange.ErrClosed) || errors.Is(err, errNotSent) || !strings.Contains(err.Error(), "node b") {
			t.Errorf("an answer that was lost on the way round: %v", err)
		}
		if len(p.effects()) != 1 {
			t.Errorf("effects %v", p.effects())
		}
		doors[2].lose.Store(false)
		doors[2].cut("b")
		_, err = all[0].Send(t.Context(), "t", command(t, "EFFECT", 2), Choice{})
		if !errors.Is(err, ErrNoChannel) && !errors.Is(err, errNotSent) {
			t.Errorf("without a way round: %v", err)
		}
		if len(p.effects()) != 1 {
			t.Errorf("effects %v", p.effects())
		}
	})
}

// TestTheThirdStops: who stops while it passes something on leaves it open whether
// it had its effect, as one that is killed does.
func TestTheThirdStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all, _ := triangle(t)
		defer stopAll(all[:2])
		var sent sync.WaitGroup
		sent.Go(func() {
			if _, err := all[0].Send(t.Context(), "t", command(t, "HANG", nil), Choice{}); !errors.Is(err, exchange.ErrClosed) || errors.Is(err, errNotSent) {
				t.Errorf("Send = %v", err)
			}
		})
		synctest.Wait()
		all[2].stop()
		sent.Wait()
	})
}
