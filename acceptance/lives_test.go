//go:build linux

package acceptance_test

import (
	"slices"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// checkLives joins the history with what the kernel says: those that nobody
// touched are the same, every generation that is over has one end, and nobody
// lives twice or unknown.
func (p *peerd) checkLives(untouched map[string][2]uint64) {
	p.t.Helper()
	now := p.ps()
	for name, was := range untouched {
		if i := now[name]; uint64(i.Pid) != was[0] || i.Generation != was[1] || !alive(i.Pid) {
			p.t.Errorf("%s was %v and is %v", name, was, i)
		}
	}
	p.nobodyIsUnknown()
	p.oneEndEach()
}

// nobodyIsUnknown wants each living tree to be that of the one process which ps
// shows for an instance; what is just being started becomes known.
func (p *peerd) nobodyIsUnknown() {
	p.t.Helper()
	p.waitFor("every tree to be an instance's", func() bool {
		known := map[int]bool{}
		leaders := p.leaders()
		for _, i := range p.ps() {
			known[i.Pid] = true
		}
		return !slices.ContainsFunc(leaders, func(pid int) bool { return !known[pid] && alive(pid) })
	})
}

// leaders are the processes of this test that lead a session: the first of each
// tree.
func (p *peerd) leaders() (pids []int) {
	for _, pid := range p.processes() {
		if process, ok := torture.ProcessOf(pid); ok && process.Session == pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// oneEndEach wants the whole journal to be in order, and one end in it for each
// generation that is over.
func (p *peerd) oneEndEach() {
	p.t.Helper()
	for _, v := range torture.Check(torture.Evidence{Records: p.events()}) {
		p.t.Errorf("%v", v)
	}
}
