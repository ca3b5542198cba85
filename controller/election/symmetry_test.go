package election

import "bytes"

// renumbering is another way to number a system: entry i says what number i
// becomes.
type renumbering struct {
	controllers, peers []int
}

// renumberings are all ways to number a system.
func renumberings(r rules) (all []renumbering) {
	for _, c := range permutations(r.controllers, maxControllers) {
		for _, p := range permutations(r.peers, maxPeers) {
			all = append(all, renumbering{c, p})
		}
	}
	return all
}

// permutations are those of 0 to n-1, with the numbers up to room unchanged.
func permutations(n, room int) (all [][]int) {
	now := make([]int, room)
	for i := range now {
		now[i] = i
	}
	var from func(int)
	from = func(i int) {
		if i >= n-1 {
			all = append(all, append([]int(nil), now...))
			return
		}
		for j := i; j < n; j++ {
			now[i], now[j] = now[j], now[i]
			from(i + 1)
			now[i], now[j] = now[j], now[i]
		}
	}
	from(0)
	return all
}

// plainest is the one of all states alike that is written first in order.
func (m model) plainest(alike []renumbering) model {
	least, written := m, m.written()
	for _, n := range alike[1:] {
		other := m.renumbered(n)
		if w := other.written(); bytes.Compare(w[:], written[:]) < 0 {
			least, written = other, w
		}
	}
	return least
}

func (m model) renumbered(n renumbering) model {
	var moved [maxChannels + 1]channel
	for k := range maxControllers {
		for p := range maxPeers {
			moved[channelOf(k, p)] = channelOf(n.controllers[k], n.peers[p])
		}
	}
	to := m
	to.record.channel = moved[m.record.channel]
	for p, was := range m.peers {
		was.on = moved[was.on]
		to.peers[n.peers[p]] = was
	}
	for k, was := range m.controllers {
		was.seen.channel = moved[was.seen.channel]
		to.controllers[n.controllers[k]] = was
	}
	for term, by := range m.acted {
		if by != 0 {
			to.acted[term] = uint8(n.peers[by-1] + 1)
		}
	}
	return to
}

// written is a state as bytes that differ where states do.
func (m model) written() (b [48]byte) {
	to := b[:0]
	for _, p := range m.peers {
		to = append(to, byte(p.on), p.told, digit(p.leased), p.seen, p.runs, digit(p.paused))
	}
	for _, c := range m.controllers {
		to = append(to, byte(c.seen.channel), c.seen.term, digit(c.cut))
	}
	to = append(to, byte(m.record.channel), m.record.term, m.revision, m.latest)
	_ = append(to, m.acted[:]...)
	return b
}

func digit(f bool) byte {
	if f {
		return 1
	}
	return 0
}
