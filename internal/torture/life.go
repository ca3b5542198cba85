package torture

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSilence is how often the witness may tick while a diarist does not: the
// scheduler is not fair to the one.
const maxSilence = 500

// ticksHaveNoGap wants each life to have ticked 1, 2, 3 and so on, and never to
// have been stopped.
func ticksHaveNoGap(e *Evidence, say accuse) {
	byName(e.Diaries, func(name string, diary []Line) {
		for _, l := range lives(diary) {
			next := 1
			for i, line := range l.lines {
				if line.Word == Tick {
					if line.Arg != strconv.Itoa(next) {
						say(name, "%v: tick %s comes where %d should", l.id, line.Arg, next)
					}
					next++
				}
				if i == 0 {
					continue
				}
				if n := ticksBetween(e.Witness, l.lines[i-1].At, line.At); n > maxSilence {
					say(name, "%v was silent after %q while the witness ticked %d times", l.id, l.lines[i-1], n)
				}
			}
		}
	})
}

// ticksBetween counts how often the witness ticked between two moments.
func ticksBetween(witness []time.Duration, from, to time.Duration) int {
	first, _ := slices.BinarySearch(witness, from)
	last, _ := slices.BinarySearch(witness, to)
	return last - first
}

// signalsHaveAReason wants that nobody was signalled but to stop it.
func signalsHaveAReason(e *Evidence, say accuse) {
	histories := e.histories()
	byName(e.Diaries, func(name string, diary []Line) {
		for _, m := range join(diary, histories[name]) {
			if m.life == nil {
				continue
			}
			got := m.life.of(Signal)
			asks := 0
			for _, s := range got {
				if s == "SIGTERM" {
					asks++
				}
			}
			_, alone := e.Untouched[name]
			switch {
			case asks < len(got):
				say(name, "%v got %v", m.life.id, got)
			case asks > 0 && (alone || m.start != nil && !m.start.stopped):
				say(name, "%v got %v, and nobody asked it to stop\n%s", m.life.id, got, tail(histories[name]))
			case asks > max(1, e.Asks):
				say(name, "%v was asked %d times", m.life.id, asks)
			}
		}
	})
}

// capturedOnce wants what was captured of stdout to be what the diary says was
// ticked: every tick once, in order; only the last one of a life that was
// killed may be missing, as it may not have been said any more.
func capturedOnce(e *Evidence, say accuse) {
	byName(e.Captured, func(name string, lines []string) {
		said := map[ID]int{}
		var last ID
		seen := map[ID]bool{}
		for _, text := range lines {
			who, number, _ := strings.Cut(text, " ")
			id, err := ParseID(who)
			if err != nil || number != strconv.Itoa(said[id]+1) {
				say(name, "after tick %d of %v was captured: %q", said[id], id, text)
				return
			}
			if id != last && seen[id] {
				say(name, "%v was captured after another had begun", id)
			}
			last, seen[id] = id, true
			said[id]++
		}
		for _, l := range lives(e.Diaries[name]) {
			ticked := len(l.of(Tick))
			_, whole := l.code()
			if n := said[l.id]; n != ticked && (whole || n != ticked-1) {
				say(name, "%v ticked %d times, and %d are captured", l.id, ticked, n)
			}
			delete(said, l.id)
		}
		for id := range said {
			say(name, "%v was captured and has no diary", id)
		}
	})
}
