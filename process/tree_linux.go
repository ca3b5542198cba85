package process

import (
	"errors"
	"os"
	"path/filepath"
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
	// stats of the living members, the leader first if it lives.
	stats() []stat
	// holds says, freshly, whether a process is a member.
	holds(s stat) bool
}

// roster is the part of a tree that works on single processes.
type roster struct{ holder }

func (m roster) members() []Member {
	var list []Member
	for _, s := range m.stats() {
		list = append(list, s.member())
	}
	return list
}

// signal sends through pidfds, each opened first and then checked to be a
// member's, so that a recycled pid is never hit.
func (m roster) signal(sig syscall.Signal) error {
	var errs []error
	for _, s := range m.stats() {
		errs = append(errs, m.signalOne(s, sig))
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
	if err != nil || now.start != s.start || !m.holds(now) {
		return nil
	}
	if now.state == 'T' && sig != unix.SIGSTOP {
		if err := unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0); err != nil {
			return ignoreGone(err)
		}
	}
	return ignoreGone(unix.PidfdSendSignal(fd, sig, nil, 0))
}

func ignoreGone(err error) error {
	if err == unix.ESRCH || err == unix.EINVAL { // EINVAL: not a thread-group leader any more
		return nil
	}
	return err
}

func (m roster) usage() (Usage, error) {
	var u Usage
	for _, s := range m.stats() {
		u.Memory += s.memory
		u.CPUTime += s.cpu
		u.Threads += s.threads
		u.FDs += countFDs(s.pid)
		u.Pids++
	}
	return u, nil
}

// Pauses between two looks at a tree whose end nobody announces.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = time.Second
)

// waitEmpty looks again and again, ever more rarely.
func (m roster) waitEmpty(done <-chan struct{}) bool {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		if len(m.stats()) == 0 {
			return true
		}
		select {
		case <-done:
			return false
		case <-time.After(pause):
		}
	}
}

// cgroupHolder holds by a cgroup folder, in v2 or in v1.
type cgroupHolder struct{ dir string }

func (c cgroupHolder) stats() []stat {
	var list []stat
	for _, pid := range cgroupPids(c.dir) {
		if s, err := readStat(pid); err == nil && s.alive() {
			list = append(list, s)
		}
	}
	return list
}

// holds looks the process up in the kernel's list: paths in /proc/PID/cgroup
// would have to be translated through mounts and namespaces.
func (c cgroupHolder) holds(s stat) bool {
	for _, pid := range cgroupPids(c.dir) {
		if pid == s.pid {
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
	return &unifiedTree{roster{cgroupHolder{g.unified}}, g}
}

// kill ends the whole cgroup at once; kernels before 5.14 have no cgroup.kill.
func (t *unifiedTree) kill() {
	if writeFile(filepath.Join(t.group.unified, "cgroup.kill"), "1") != nil {
		_ = t.signal(unix.SIGKILL)
	}
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
	return &freezerTree{roster{cgroupHolder{g.freezer}}, g}
}

func (t *freezerTree) kill() {
	state := filepath.Join(t.group.freezer, "freezer.state")
	_ = writeFile(state, "FROZEN")
	_ = t.signal(unix.SIGKILL)
	_ = writeFile(state, "THAWED")
}

func (t *freezerTree) release() { t.group.remove() }
