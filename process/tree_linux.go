package process

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// containment is the means by which a tree is held.
type containment string

const (
	cgroupV2      containment = "cgroup v2"
	cgroupFreezer containment = "cgroup v1 freezer"
	session       containment = "process group and subreaper"
)

// holder knows who belongs to a tree.
type holder interface {
	// stats of the living members, as they were at some time since; an error
	// says that the list is not whole.
	stats(since time.Time) ([]stat, error)
	// holds says, freshly, whether a process is a member.
	holds(s stat) bool
}

// roster is the part of a tree that works on single processes.
type roster struct {
	holder
	signalled chan struct{} // wakes waitEmpty: there may be less to wait for
}

func newRoster(h holder) roster { return roster{h, make(chan struct{}, 1)} }

func (m roster) members() ([]Member, error) {
	stats, err := m.stats(time.Now())
	var list []Member
	for _, s := range stats {
		list = append(list, s.member())
	}
	return list, err
}

// signal sends through pidfds, each opened first and then checked to be a
// member's, so that a recycled pid is never hit.
func (m roster) signal(sig syscall.Signal) error {
	stats, err := m.stats(time.Now())
	errs := []error{err}
	for _, s := range stats {
		errs = append(errs, m.signalOne(s, sig))
	}
	select {
	case m.signalled <- struct{}{}:
	default:
	}
	return errors.Join(errs...)
}

func (m roster) signalOne(s stat, sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(s.pid, 0)
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(fd)
	now, err := readStat(s.pid)
	if err != nil {
		return ignoreGone(err)
	}
	if now.start != s.start || !m.holds(now) {
		return nil
	}
	if now.state == 'T' && sig != unix.SIGSTOP {
		if err := unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0); err != nil {
			return ignoreGone(err)
		}
	}
	return ignoreGone(unix.PidfdSendSignal(fd, sig, nil, 0))
}

// ignoreGone drops the errors by which the kernel says that a process, or the
// cgroup it was in, is no more.
func ignoreGone(err error) error {
	for _, gone := range []error{unix.ESRCH, unix.ENOENT, unix.ENODEV, unix.EINVAL} {
		if errors.Is(err, gone) {
			return nil
		}
	}
	return err
}

// sampleAge is how old the figures of a sample may be: many trees sampled in a
// row share one look at all processes.
const sampleAge = 200 * time.Millisecond

func (m roster) usage() (Usage, error) {
	stats, err := m.stats(time.Now().Add(-sampleAge))
	var u Usage
	for _, s := range stats {
		u.Memory += s.memory
		u.CPUTime += s.cpu
		u.Threads += s.threads
		u.FDs += countFDs(s.pid)
		u.Pids++
	}
	return u, err
}

// Pauses between two looks at a tree whose end nobody announces, while its
// members come and go.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = time.Second
)

// waitEmpty waits for the end of one member after the other, asleep. Where they
// come and go, or cannot be waited for (EMFILE), it looks again and again, ever
// more rarely until the next signal.
func (m roster) waitEmpty(done <-chan struct{}) bool {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		began := time.Now()
		stats, err := m.stats(began)
		if err == nil && len(stats) == 0 {
			return true
		}
		if err == nil && outlast(stats[0], done) && time.Since(began) > lastLook {
			pause = firstLook
		}
		select {
		case <-done:
			return false
		case <-m.signalled:
			pause = firstLook / 2
		case <-time.After(pause):
		}
	}
}

// outlast waits until a process has ended. false: done was closed before, or it
// cannot be waited for.
func outlast(s stat, done <-chan struct{}) bool {
	fd, err := unix.PidfdOpen(s.pid, 0)
	if err != nil {
		return ignoreGone(err) == nil
	}
	l, err := newLeader(s.pid, fd)
	if err != nil {
		return false
	}
	defer l.close()
	if now, err := readStat(s.pid); err != nil || now.start != s.start {
		return true
	}
	raw, err := l.file.SyscallConn()
	if err != nil {
		return false
	}
	stop := afterDone(done, l.interrupt)
	defer stop()
	return raw.Read(func(fd uintptr) bool { return readable(int(fd)) }) == nil
}

// cgroupHolder holds by a cgroup folder, in v2 or in v1.
type cgroupHolder struct{ dir string }

func (c cgroupHolder) stats(time.Time) ([]stat, error) {
	pids, err := cgroupPids(c.dir)
	errs := []error{err}
	var list []stat
	for _, pid := range pids {
		s, err := readStat(pid)
		if err == nil && s.alive() {
			list = append(list, s)
		}
		errs = append(errs, ignoreGone(err))
	}
	return list, errors.Join(errs...)
}

// holds looks for the cgroup's name, which has 64 random bits, in the path of
// the process's own: the rest of the path depends on mounts and namespaces.
func (c cgroupHolder) holds(s stat) bool {
	paths, err := os.ReadFile("/proc/" + strconv.Itoa(s.pid) + "/cgroup")
	if err != nil {
		return false
	}
	name := filepath.Base(c.dir)
	for line := range strings.Lines(string(paths)) {
		if slices.Contains(strings.Split(strings.TrimSuffix(line, "\n"), "/"), name) {
			return true
		}
	}
	return false
}

// unifiedTree is a tree in a cgroup v2.
type unifiedTree struct {
	roster
	group group
}

func newUnifiedTree(g group) *unifiedTree {
	return &unifiedTree{newRoster(cgroupHolder{g.unified}), g}
}

// kill ends the whole cgroup at once; kernels before 5.14 have no cgroup.kill.
func (t *unifiedTree) kill() error {
	if writeFile(filepath.Join(t.group.unified, "cgroup.kill"), "1") == nil {
		return nil
	}
	return t.signal(unix.SIGKILL)
}

// usage takes the CPU time from the cgroup, which remembers ended members.
func (t *unifiedTree) usage() (Usage, error) {
	u, err := t.roster.usage()
	if spent, ok := cgroupCPU(t.group.unified); ok {
		u.CPUTime = spent
	}
	return u, err
}

func cgroupCPU(dir string) (time.Duration, bool) {
	text, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return 0, false
	}
	rest, ok := strings.CutPrefix(string(text), "usage_usec ")
	if !ok {
		return 0, false
	}
	number, _, _ := strings.Cut(rest, "\n")
	micros, err := strconv.ParseInt(number, 10, 64)
	return time.Duration(micros) * time.Microsecond, err == nil
}

func (t *unifiedTree) release() { t.group.remove() }

// freezerTree is a tree in a v1 freezer: frozen while it is killed, so that no
// member can fork away in between.
type freezerTree struct {
	roster
	group group
}

func newFreezerTree(g group) *freezerTree {
	return &freezerTree{newRoster(cgroupHolder{g.freezer}), g}
}

func (t *freezerTree) kill() error {
	state := filepath.Join(t.group.freezer, "freezer.state")
	return errors.Join(
		ignoreGone(writeFile(state, "FROZEN")),
		t.signal(unix.SIGKILL),
		ignoreGone(writeFile(state, "THAWED")))
}

func (t *freezerTree) release() { t.group.remove() }
