package controller

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
)

// Errors of sending that a caller may want to tell apart.
var (
	ErrNoChannel = errors.New("the target has no channel")
	ErrNoPrimary = errors.New("the target has no primary")
	ErrRefused   = errors.New("not allowed")
)

// Choice says which of a target's channels a command goes to. The zero value is
// the channel with the fewest commands in flight, one of this node if there is any.
type Choice struct {
	Key       string // not empty: always the same connector for the same key, while it is there
	Primary   bool   // the primary, or none
	Channel   string // not empty: this one, or none
	Connector string // not empty: the connector of this name, or none
}

// candidate is a channel to choose from; link is nil if another node has it.
type candidate struct {
	Channel
	link *link
}

func (c candidate) load() int {
	if c.link == nil {
		return 0
	}
	return c.link.inFlight()
}

// choose returns the candidate that a command goes to.
func choose(target string, all []candidate, how Choice) (candidate, error) {
	if len(all) == 0 {
		return candidate{}, fmt.Errorf("target %q: %w", target, ErrNoChannel)
	}
	switch {
	case how.Channel != "":
		for _, c := range all {
			if c.ID == how.Channel {
				return c, nil
			}
		}
		return candidate{}, fmt.Errorf("target %q: no channel %q: %w", target, how.Channel, ErrNoChannel)
	case how.Connector != "":
		own := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return c.Channel.Connector != how.Connector })
		if len(own) == 0 {
			return candidate{}, fmt.Errorf("target %q: no connector %q: %w", target, how.Connector, ErrNoChannel)
		}
		return choose(target, own, Choice{Key: how.Key})
	case how.Primary:
		for _, c := range all {
			if c.Channel.Primary {
				return c, nil
			}
		}
		return candidate{}, fmt.Errorf("target %q: %w", target, ErrNoPrimary)
	case how.Key != "":
		return best(all, func(a, b candidate) bool { return a.weight(how.Key) > b.weight(how.Key) }), nil
	}
	return best(all, func(a, b candidate) bool {
		if (a.link != nil) != (b.link != nil) {
			return a.link != nil
		}
		return a.load() < b.load()
	}), nil
}

func best(all []candidate, better func(a, b candidate) bool) candidate {
	chosen := all[0]
	for _, c := range all[1:] {
		if better(c, chosen) {
			chosen = c
		}
	}
	return chosen
}

// weight ranks a channel for a key. It goes by the connector's own name, which
// outlives its channels, and changes for nobody else when one comes or goes.
func (c candidate) weight(key string) uint64 {
	name := c.Connector
	if name == "" {
		name = c.ID
	}
	h := fnv.New64a()
	h.Write([]byte(name + "\x00" + key))
	// FNV's high bits hardly depend on the last bytes; this spreads them.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}
