package torture

import (
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// generation is what the history says of one start.
type generation struct {
	number  uint64
	pid     int // 0: the history does not say
	stopped bool
	ends    []Exit
}

// notSpawned reports that no process came of it, as its end says.
func (g *generation) notSpawned() bool {
	return len(g.ends) == 1 && strings.HasPrefix(g.ends[0].Reason, "not spawned")
}

// generations are the starts in an instance's history, in order.
func generations(history []Record) (all []*generation) {
	for _, r := range history {
		if len(all) == 0 || all[len(all)-1].number != r.Generation {
			if !r.To.Live() && r.Exit == nil {
				continue // nothing was started yet
			}
			all = append(all, &generation{number: r.Generation})
		}
		g := all[len(all)-1]
		if r.Pid != 0 && r.To.Live() {
			g.pid = r.Pid
		}
		g.stopped = g.stopped || r.To == lifecycle.Stopping
		if r.Exit != nil {
			g.ends = append(g.ends, *r.Exit)
		}
	}
	return all
}

// oneEndEach wants one end for each generation, save the last one of a name if
// it lives.
func oneEndEach(e *Evidence, say accuse) {
	byName(e.histories(), func(name string, history []Record) {
		all := generations(history)
		for i, g := range all {
			lives := i == len(all)-1 && history[len(history)-1].To.Live()
			switch {
			case lives && len(g.ends) > 0:
				say(name, "generation %d lives and has ended: %v", g.number, g.ends)
			case !lives && len(g.ends) != 1:
				say(name, "generation %d has %d ends: %v\n%s", g.number, len(g.ends), g.ends, tail(history))
			case !lives && g.ends[0].Code < 0 && g.ends[0].Signal == "" && !g.notSpawned():
				say(name, "how generation %d ended is not known: %v", g.number, g.ends[0])
			}
		}
	})
}

// match is a life with the generation it is; either may be missing.
type match struct {
	life  *life
	start *generation
}

// join finds the generation of each life. Both are in the order in which they
// began; a pid alone says little, as it may come again.
func join(diary []Line, history []Record) (all []match) {
	starts := generations(history)
	for _, l := range lives(diary) {
		m := match{life: l}
		i := indexOf(starts, l)
		if i >= 0 {
			for _, g := range starts[:i] {
				all = append(all, match{start: g})
			}
			m.start, starts = starts[i], starts[i+1:]
		}
		all = append(all, m)
	}
	for _, g := range starts {
		all = append(all, match{start: g})
	}
	return all
}

// near is how many starts in a row may have come to no life.
const near = 8

// indexOf is which of the starts a life is, -1 for none: the next one that has
// its pid, else the next one of which no pid is known.
func indexOf(starts []*generation, l *life) int {
	next := starts[:min(near, len(starts))]
	if i := slices.IndexFunc(next, func(g *generation) bool { return g.pid == l.id.Pid }); i >= 0 {
		return i
	}
	return slices.IndexFunc(starts, func(g *generation) bool { return g.mayBe(l) })
}

// livesAreStarts wants each life to be one generation, and to have ended as its
// generation did.
func livesAreStarts(e *Evidence, say accuse) {
	histories := e.histories()
	byName(e.Diaries, func(name string, diary []Line) {
		var before uint64 // generation of the life before
		for _, m := range join(diary, histories[name]) {
			switch {
			case m.start == nil:
				say(name, "%v lived, and no start in the history is it:\n%s", m.life.id, around(histories[name], before))
				continue
			case m.life == nil:
				m.start.unlived(name, say)
			default:
				m.start.endedAs(m.life, name, say)
			}
			before = m.start.number
		}
	})
}

// around is what the history says of a generation and its neighbours.
func around(history []Record, generation uint64) string {
	first := slices.IndexFunc(history, func(r Record) bool { return r.Generation+1 >= generation })
	if first < 0 {
		return ""
	}
	return tail(history[first:min(first+12, len(history))])
}

// mayBe reports whether a life can be that of the generation.
func (g *generation) mayBe(l *life) bool {
	if g.pid == 0 {
		return !g.notSpawned()
	}
	return g.pid == l.id.Pid
}

// unlived wants a good reason for a start without a life: nothing was spawned,
// or it was killed before it could write, or it is about to.
func (g *generation) unlived(name string, say accuse) {
	if len(g.ends) == 1 && g.ends[0].Signal == "" && !g.notSpawned() {
		say(name, "generation %d (pid %d) ended with %v and wrote nothing", g.number, g.pid, g.ends[0])
	}
}

// endedAs wants the end of the generation to be that of the life. One that is
// about to end may be killed over it.
func (g *generation) endedAs(l *life, name string, say accuse) {
	if len(g.ends) != 1 {
		return
	}
	end := g.ends[0]
	code, ended := l.code()
	switch {
	case end.Code < 0 && end.Signal == "": // unknown: said elsewhere
	case ended && end.Signal == "" && end.Code != code:
		say(name, "%v ended with code %d, and the history says %v", l.id, code, end)
	case !ended && end == (Exit{}) && g.stopped && len(l.of(Tick)) == 0: // told to stop before it began to work
	case !ended && end.Signal == "":
		say(name, "%v was cut off after %q, and the history says %v", l.id, l.lines[len(l.lines)-1], end)
	case ended && end.Signal != "" && !g.stopped:
		say(name, "%v ended with code %d by itself, and the history says %v", l.id, code, end)
	}
}
