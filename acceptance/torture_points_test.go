//go:build linux

package acceptance_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// campaign is a row of points of one kind. Each point is met by what the one
// before has left.
type campaign struct {
	name  string
	calls []string                        // at which the victim is killed
	want  int                             // points in the short form; the long one has four times as many
	play  func(x *tortured, p point) bool // leads to a point and reports whether it was met
}

// What peerd and the keeper do for a living.
var (
	peerdReads = []string{
		"openat", "read", "close", "newfstatat", "getdents64", "readlinkat", "flock", "fcntl", "epoll_ctl", "epoll_pwait",
		"pidfd_open", "inotify_init1", "inotify_add_watch", "bind", "listen", "connect", "getsockopt",
	}
	peerdActs = []string{
		"fsync,fdatasync", "write,pwrite64,writev,sendto,sendmsg", "pidfd_send_signal,kill", "connect", "accept4", "openat",
		"unlinkat", "mkdirat", "close", "read", "waitid,wait4", "clone,clone3", "futex", "epoll_ctl", "getdents64", "pread64",
		"rename,renameat,renameat2", "fcntl", "pidfd_open", "ioctl", "ftruncate", "mmap",
	}
	keeperActs = []string{
		"clone,clone3", "execve", "write,pwrite64,sendto,sendmsg", "read", "openat", "close", "mknodat", "mkdirat", "splice",
		"rename,renameat,renameat2", "waitid,wait4", "pidfd_open", "pidfd_send_signal,kill", "fcntl", "epoll_ctl", "accept4",
		"futex", "newfstatat", "dup3", "pipe2", "unlinkat", "getdents64", "ioctl", "prctl", "getsockopt", "fsync,fdatasync",
	}
)

var campaigns = []campaign{
	{"peerd-recovers", slices.Concat(peerdActs, peerdReads), 140, bornPeerd(nothing)},
	{"peerd-recovers-and-acts", peerdActs, 80, bornPeerd(someVerbs)},
	{"peerd-starts", peerdActs, 70, grownPeerd("stop", "start")},
	{"peerd-stops", peerdActs, 70, grownPeerd("start", "stop")},
	{"peerd-restarts", peerdActs, 70, grownPeerd("start", "restart")},
	{"peerd-kills", peerdActs, 50, grownPeerd("start", "kill")},
	{"peerd-reloads", peerdActs, 70, reloadedPeerd},
	{"peerd-boots", slices.Concat(peerdActs, peerdReads, []string{"execve"}), 50, bootedPeerd},
	{"peerd-leaves", peerdActs, 40, leavingPeerd},
	{"keeper-takes-over", keeperActs, 80, bornKeeper},
	{"keeper-starts", keeperActs, 60, grownKeeper("stop", "start")},
	{"keeper-stops", keeperActs, 50, grownKeeper("start", "stop")},
	{"keeper-restarts", keeperActs, 60, grownKeeper("start", "restart")},
}

// Issue 4: killed at the Nth of some system call, in start, stop, restart,
// reload and recovery, nobody loses anything. PEERD_POINT plays one point alone.
func TestKillPoints(t *testing.T) {
	t.Parallel()
	needsStrace(t)
	points := 0
	for _, c := range campaigns {
		points += c.want
	}
	if points < 800 {
		t.Fatalf("there are %d points, and 800 are promised", points)
	}
	only := os.Getenv("PEERD_POINT")
	for _, c := range campaigns {
		if only != "" && !strings.HasPrefix(only, c.name+":") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.fight(t, only)
		})
	}
}

// fight plays points until as many as wanted were met.
func (c campaign) fight(t *testing.T, only string) {
	x := torment(t)
	s := &sweep{campaign: c, chance: x.chance}
	want := rounds(c.want, 4*c.want)
	if only != "" {
		p, err := parsePoint(only)
		if err != nil {
			t.Fatal(err)
		}
		s.only, want = &p, 20
	}
	met, tries := 0, 0
	for ; met < want; tries++ {
		if tries > 4*want+100 {
			t.Fatalf("of %d tries only %d met their point", tries, met)
		}
		p := s.next()
		if c.play(x, p) {
			met++
		} else {
			s.missed(p)
		}
		if t.Failed() {
			t.Fatalf("play it again: PEERD_POINT=%v go test -run TestKillPoints ./acceptance", p)
		}
	}
	if x.isOver() {
		x.run()
		x.ready()
	}
	x.judge()
	x.finish()
	t.Logf("%d points met in %d tries, in %d laps", met, tries, s.lap)
}

// sweep goes through the points of a campaign: the first of each call, the
// second of each, and so on; a call whose nth was not met is left out for the
// rest of the lap.
type sweep struct {
	campaign
	chance *rand.Rand
	only   *point
	lap    int
	left   []string // calls of this lap
	at, n  int
}

func (s *sweep) next() point {
	if s.only != nil {
		return *s.only
	}
	if s.at == len(s.left) {
		s.at = 0
		s.n++
	}
	if len(s.left) == 0 {
		s.lap++
		s.left, s.n = slices.Clone(s.calls), 1
		s.chance.Shuffle(len(s.left), func(i, j int) { s.left[i], s.left[j] = s.left[j], s.left[i] })
	}
	p := point{s.campaign.name, s.left[s.at], s.n}
	s.at++
	return p
}

// missed leaves a call out.
func (s *sweep) missed(p point) {
	if i := slices.Index(s.left, p.call); i >= 0 {
		s.left = slices.Delete(s.left, i, i+1)
		s.at--
	}
}

// errand is what a peer is asked for.
type errand func(x *tortured)

func nothing(*tortured) {}

// someVerbs acts on the toys by chance.
func someVerbs(x *tortured) {
	for range 3 {
		verb := []string{"restart", "stop", "start", "kill"}[x.chance.IntN(4)]
		x.act(verb, toys[x.chance.IntN(len(toys))])
	}
}

// bornPeerd meets its point in the recovery, or in what is asked for then.
func bornPeerd(do errand) func(x *tortured, p point) bool {
	return func(x *tortured, p point) bool {
		x.strikePeerd()
		x.refresh(p)
		tr := x.bear(p)
		x.soon("peerd is ready, or somebody is over", func() bool { return tr.fired() || x.isOver() || x.get("/readyz") == 200 })
		do(x)
		return x.reap(tr)
	}
}

// grownPeerd meets its point while it does something to all the toys.
func grownPeerd(before, verb string) func(x *tortured, p point) bool {
	return func(x *tortured, p point) bool {
		x.again()
		x.act(before, toys...)
		tr := x.trace(x.cmd.Process.Pid, p)
		x.act(verb, toys...)
		return x.reap(tr)
	}
}

// reloadedPeerd meets its point while it applies another profile.
func reloadedPeerd(x *tortured, p point) bool {
	x.again()
	x.act("start", toys...)
	tr := x.trace(x.cmd.Process.Pid, p)
	x.edit()
	x.ccpc("reload")
	return x.reap(tr)
}

// edit changes toy, and has a guest come or go.
func (x *tortured) edit() {
	x.edits++
	text := strings.Replace(company, `/toy"]`, `/toy"], env: {EDIT: "`+strings.Repeat("x", x.edits%7)+`"}`, 1)
	if x.edits%2 == 0 {
		text += "  guest: {command: [\"${DIARIST}\", \"${DIARIES}/guest\"], ready: {startSeconds: 0s}}\n"
	}
	x.write(text)
}

// bootedPeerd meets its point while it starts everything.
func bootedPeerd(x *tortured, p point) bool {
	clear(x.evidence.Untouched)
	x.again()
	x.act("start", toys...)
	x.signal(syscall.SIGTERM)
	if status := x.over(); status.ExitStatus() != 0 {
		x.t.Errorf("peerd ended with %s after SIGTERM", describe(status))
	}
	tr := x.bear(p)
	x.soon("peerd is ready, or somebody is over", func() bool { return tr.fired() || x.isOver() || x.get("/readyz") == 200 })
	return x.reap(tr)
}

// leavingPeerd meets its point while it stops everything.
func leavingPeerd(x *tortured, p point) bool {
	clear(x.evidence.Untouched)
	x.again()
	x.act("start", toys...)
	tr := x.trace(x.cmd.Process.Pid, p)
	_ = syscall.Kill(x.cmd.Process.Pid, syscall.SIGTERM) // it may be over already
	x.soon("peerd is over", func() bool { return x.isGone(tr) })
	met := tr.fired()
	x.end(tr)
	if status := x.over(); !met && status.ExitStatus() != 0 {
		x.t.Errorf("peerd ended with %s after SIGTERM", describe(status))
	}
	return met
}

// again kills what may still run, starts the next peerd and judges what it
// found.
func (x *tortured) again() {
	x.t.Helper()
	x.strikePeerd()
	x.run()
	x.ready()
	x.judge()
}

// refresh judges now and then: a peer that is killed in its recovery again and
// again is seldom asked.
func (x *tortured) refresh(p point) {
	if p.n%3 == 1 {
		x.again()
		x.act("start", toys...)
		x.strikePeerd()
	}
}

// strikePeerd kills peerd if it runs.
func (x *tortured) strikePeerd() {
	x.t.Helper()
	if !x.isOver() {
		x.signal(syscall.SIGKILL)
		x.over()
	}
}

// isGone reports whether a traced peerd has ended, though its tracer may not
// have let go of it.
func (x *tortured) isGone(tr *tracer) bool { return tr.killed(x.cmd.Process.Pid) || x.isOver() }

// reap ends a peerd that is traced, one way or the other, and reports whether
// the point was met. One that ends by itself is a violation, and so is one that
// does not outlive a child which met the point in its place.
func (x *tortured) reap(tr *tracer) (met bool) {
	x.t.Helper()
	met = tr.fired()
	if met {
		x.end(tr)
		x.soon("peerd is over or well", func() bool { return x.isOver() || x.get("/readyz") == 200 })
	}
	pid := x.cmd.Process.Pid
	if !x.isOver() {
		met = met || !alive(pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	x.end(tr)
	if status := x.over(); status.Signal() != syscall.SIGKILL {
		x.t.Errorf("peerd ended by itself: %s", describe(status))
	}
	return met
}

// grownKeeper meets its point while something is done to all the toys.
func grownKeeper(before, verb string) func(x *tortured, p point) bool {
	return func(x *tortured, p point) bool {
		x.changeGuard()
		x.act(before, toys...)
		keeper := x.awaitKeeper()
		tr := x.trace(keeper, p)
		x.act(verb, toys...)
		return x.relieve(tr)
	}
}

// bornKeeper meets its point while it takes over from the one before, or in what
// is asked for then.
func bornKeeper(x *tortured, p point) bool {
	x.changeGuard()
	before := x.awaitKeeper()
	bar := x.barKeepers()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		x.t.Fatal(err)
	}
	<-bar.held
	var next int
	x.soon("the next keeper is born", func() bool {
		next = x.newbornKeeper(before)
		return next != 0
	})
	tr := x.trace(next, p)
	bar.lift()
	someVerbs(x)
	return x.relieve(tr)
}

// relieve has the tracer let go of its keeper, waits for one that is well, and
// judges.
func (x *tortured) relieve(tr *tracer) (met bool) {
	x.t.Helper()
	met = tr.fired()
	x.end(tr)
	x.awaitKeeper()
	x.judge()
	return met
}

// changeGuard kills peerd now and then in a campaign against the keeper: the
// next peerd is not the one that started it.
func (x *tortured) changeGuard() {
	x.t.Helper()
	if x.guards++; x.guards%8 == 0 {
		x.again()
	}
}

// awaitKeeper waits until there is a keeper, and returns its pid.
func (x *tortured) awaitKeeper() (pid int) {
	x.t.Helper()
	x.waitFor("there is a keeper", func() bool {
		pid = x.keeperPid()
		return pid != 0 && alive(pid)
	})
	return pid
}

// bar is the lock of the runtime folder in the test's hands: the next keeper
// waits at its birth until it is lifted.
type bar struct {
	file *os.File
	held chan struct{} // closed when it is
}

// barKeepers takes the lock as soon as the present keeper is gone.
func (x *tortured) barKeepers() *bar {
	x.t.Helper()
	file, err := os.OpenFile(x.path("run/keeper.lock"), os.O_RDWR, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	b := &bar{file, make(chan struct{})}
	go func() {
		defer close(b.held)
		for syscall.Flock(int(file.Fd()), syscall.LOCK_EX) == syscall.EINTR {
		}
	}()
	return b
}

func (b *bar) lift() { _ = b.file.Close() }

// newbornKeeper is a keeper other than the one before, 0 for none: a child of
// peerd.
func (x *tortured) newbornKeeper(before int) int {
	peer := x.cmd.Process.Pid
	for _, pid := range childrenOf(peer) {
		p, ok := torture.ProcessOf(pid)
		if ok && pid != before && isKeeper(p.Argv) {
			return pid
		}
	}
	return 0
}

// isKeeper reports whether a command line is that of a keeper: the small program,
// or peerd itself.
func isKeeper(argv []string) bool {
	return len(argv) == 1 && filepath.Base(argv[0]) == "peerd-keeper" || len(argv) == 2 && argv[1] == "keeper"
}
