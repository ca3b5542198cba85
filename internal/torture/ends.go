package torture

import (
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

// livesAreStarts joins diaries and history: each life is one generation, in the
// same order, and ended as its generation did.
func livesAreStarts(e *Evidence, say accuse) {
	histories := e.histories()
	byName(e.Diaries, func(name string, diary []Line) {
		starts := generations(histories[name])
		for _, l := range lives(diary) {
			for len(starts) > 0 && !starts[0].mayBe(l) {
				starts[0].unlived(name, say)
				starts = starts[1:]
			}
			if len(starts) == 0 {
				say(name, "%v lived, and no start in the history is it", l.id)
				return
			}
			starts[0].endedAs(l, name, say)
			starts = starts[1:]
		}
		for _, g := range starts {
			g.unlived(name, say)
		}
	})
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
	case !ended && end.Signal == "":
		say(name, "%v was cut off, and the history says %v", l.id, end)
	case ended && end.Signal != "" && !g.stopped:
		say(name, "%v ended with code %d by itself, and the history says %v", l.id, code, end)
	}
}
