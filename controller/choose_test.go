package controller

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// candidates draws channels, some of this node with commands in flight.
func candidates(t *rapid.T) []candidate {
	all := make([]candidate, rapid.IntRange(1, 8).Draw(t, "channels"))
	primary := rapid.IntRange(-1, len(all)-1).Draw(t, "primary")
	for i := range all {
		id := fmt.Sprint("c", i)
		all[i] = candidate{Channel: Channel{ID: id, Connector: "of " + id, Primary: i == primary}}
		if rapid.Bool().Draw(t, "local") {
			l := &link{slots: make(chan struct{}, 10)}
			for range rapid.IntRange(0, 9).Draw(t, "in flight") {
				l.slots <- struct{}{}
			}
			all[i].link = l
		}
	}
	return all
}

func TestLeastInFlightIsChosen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := candidates(t)
		got, err := choose("t", all, Choice{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			switch {
			case got.link == nil && c.link != nil:
				t.Errorf("%s is another node's although %s is here", got.ID, c.ID)
			case (got.link == nil) == (c.link == nil) && c.load() < got.load():
				t.Errorf("%s has %d in flight, %s only %d", got.ID, got.load(), c.ID, c.load())
			}
		}
	})
}

func TestAffinityHoldsWhileOthersComeAndGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := candidates(t)
		how := Choice{Key: rapid.StringN(1, 20, -1).Draw(t, "key")}
		before, err := choose("t", all, how)
		if err != nil {
			t.Fatal(err)
		}
		fewer := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool {
			return c.ID != before.ID && rapid.Bool().Draw(t, "goes")
		})
		for i := range fewer { // a reconnect gives a channel another ID
			fewer[i].ID += "'"
		}
		after, err := choose("t", fewer, how)
		if err != nil || after.Connector != before.Connector {
			t.Errorf("%s instead of %s, %v", after.Connector, before.Connector, err)
		}
	})
}

func TestAffinitySpreads(t *testing.T) {
	all := []candidate{{Channel: Channel{ID: "a"}}, {Channel: Channel{ID: "b"}}, {Channel: Channel{ID: "c"}}}
	count := map[string]int{}
	for i := range 3000 {
		c, err := choose("t", all, Choice{Key: fmt.Sprint("key-", i)})
		if err != nil {
			t.Fatal(err)
		}
		count[c.ID]++
	}
	for id, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("%d of 3000 keys go to %s", n, id)
		}
	}
}

func TestChoicesWithOneAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := candidates(t)
		got, err := choose("t", all, Choice{Primary: true})
		if there := slices.ContainsFunc(all, func(c candidate) bool { return c.Primary }); there != (err == nil && got.Primary) {
			t.Errorf("primary: %+v, %v", got.Channel, err)
		}
		if got, err := choose("t", all, Choice{Channel: all[0].ID}); err != nil || got.ID != all[0].ID {
			t.Errorf("by ID: %+v, %v", got.Channel, err)
		}
		if _, err := choose("t", all, Choice{Channel: "gone"}); !errors.Is(err, ErrNoChannel) {
			t.Errorf("a channel that is not there: %v", err)
		}
		if _, err := choose("t", nil, Choice{}); !errors.Is(err, ErrNoChannel) {
			t.Errorf("no channels: %v", err)
		}
	})
}
