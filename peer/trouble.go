package peer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/supervisor"
)

// troubles are the reasons why the peer does less than it should.
func (p *Peer) troubles() []string {
	list := p.degraded.list()
	var unsaved, short, lossy group
	for _, v := range p.sup.Views() {
		if v.Fault != nil {
			unsaved.add("the journal refuses the last steps", v, v.Fault.Error())
		}
		if why := notSpawned(v); why != "" {
			short.add("cannot be started now", v, why)
		}
		g := generationOf(v)
		if g == nil {
			continue
		}
		if l := g.loss(); l != nil && l.Why != "" {
			lossy.add("output is being lost", v, fmt.Sprintf("%s, %d bytes so far", l.Why, g.dropped()))
		}
		if why := g.unenforced(); why != "" {
			list = append(list, fmt.Sprintf("%s: %s%s", v.Key, unforcedText, why))
		}
	}
	return slices.Concat(list, unsaved.lines(), short.lines(), lossy.lines())
}

// notSpawned is the shortage that keeps an instance from being started; "":
// there is none.
func notSpawned(v *supervisor.View) string {
	if v.Machine.Status != lifecycle.Backoff || !strings.HasPrefix(v.Machine.Reason, "not spawned") {
		return ""
	}
	return process.Shortage(v.Machine.Reason)
}

// group gathers the instances that are in the same trouble.
type group struct {
	what  string
	names []string // with the reason of each
	n     int
}

func (g *group) add(what string, v *supervisor.View, why string) {
	g.what = what
	if g.n++; g.n <= maxNamed {
		g.names = append(g.names, fmt.Sprintf("%s (%s)", v.Key, why))
	}
}

// lines is one line, or none.
func (g *group) lines() []string {
	if g.n == 0 {
		return nil
	}
	if g.n > maxNamed {
		g.names = append(g.names, fmt.Sprintf("… (%d in all)", g.n))
	}
	return []string{g.what + ": " + strings.Join(g.names, ", ")}
}
