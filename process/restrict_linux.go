package process

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func (o *order) enter() error {
	for _, file := range o.Join {
		if err := writeFile(file, "0"); err != nil {
			return err
		}
	}
	return nil
}

// raiseNoFile lifts the hard limit while that is still allowed; the limit
// itself is set last, since the shim needs files too.
func (o *order) raiseNoFile() error {
	var now syscall.Rlimit
	if o.NoFile == 0 {
		return nil
	}
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil || now.Max >= o.NoFile {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: now.Cur, Max: o.NoFile})
}

func (o *order) limitNoFile() error {
	if o.NoFile == 0 {
		return nil
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: o.NoFile, Max: o.NoFile})
}

func (o *order) setNice() error {
	if o.Nice == 0 {
		return nil
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, o.Nice)
}

func (o *order) setOOMScore() error {
	if o.OOMScoreAdj == nil {
		return nil
	}
	return writeFile("/proc/self/oom_score_adj", strconv.Itoa(*o.OOMScoreAdj))
}

// become drops all supplementary groups, then changes group and user.
func (o *order) become() error {
	if o.Credential == nil {
		return nil
	}
	if o.Sandbox.Capabilities != nil {
		if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	gid, uid := int(o.Credential.GID), int(o.Credential.UID)
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return err
	}
	return syscall.Setresuid(uid, uid, uid)
}

func (o *order) chdir() error {
	if o.Dir == "" {
		return nil
	}
	return syscall.Chdir(string(o.Dir))
}

func (o *order) noNewPrivileges() error {
	if !o.Sandbox.NoNewPrivileges && !o.Sandbox.landlocked() && !o.Sandbox.unprivileged() {
		return nil
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// ignoresSignals says whether this program ignores a signal that a child would
// ignore then, too.
func ignoresSignals() bool {
	for sig := 1; sig <= lastSignal; sig++ {
		if ignored(sig) {
			return true
		}
	}
	return false
}

const (
	lastSignal = 64
	sigIgn     = 1 // SIG_IGN
)

// sigaction is at least as large as the kernel's, whose first word is the
// handler.
type sigaction [8]uintptr

func ignored(sig int) bool {
	var old sigaction
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), 0, pointer(&old), 8, 0, 0)
	return errno == 0 && old[0] == sigIgn
}

// resetSignals unblocks every signal and gives the ignored ones their default
// back; handled ones get it by exec.
func resetSignals() error {
	for sig := 1; sig <= lastSignal; sig++ {
		if !ignored(sig) {
			continue
		}
		var byDefault sigaction
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), pointer(&byDefault), 0, 8, 0, 0)
		if errno != 0 {
			return errno
		}
	}
	var none uint64
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, pointer(&none), 0, 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// resetOOMScore keeps a peer's own protection from the OOM killer from being
// inherited; raising one's child is always allowed.
func (d *Door) resetOOMScore(s Spec, pid int) {
	if s.Limits.OOMScoreAdj == nil && protectedFromOOM() {
		_ = writeFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", "0")
	}
}

func protectedFromOOM() bool {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	return err == nil && len(text) > 0 && text[0] == '-'
}

var errNoLandlock = errors.New("the kernel has no Landlock (needs Linux 5.13 with it enabled)")
