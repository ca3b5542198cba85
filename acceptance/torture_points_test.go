//go:build linux

package acceptance_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
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
