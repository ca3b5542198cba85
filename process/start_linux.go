package process

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start spawns s and returns once it has execed or failed to: an error means
// that nothing was left running. It does not block on the process itself.
// errors.Is tells the reasons apart: ENOENT, EACCES, ENOEXEC, ETXTBSY, EAGAIN,
// EMFILE and whatever else the kernel says.
func (d *Door) Start(s Spec) (*Process, error) {
	p, err := d.start(s)
	if err != nil {
		return nil, fmt.Errorf("cannot spawn %q: %w", s.Path, err)
	}
	return p, nil
}

// maxName leaves room for the nonce in the name of a cgroup.
const maxName = 200

func (d *Door) start(s Spec) (*Process, error) {
	if why := d.Unsupported(s); len(why) > 0 {
		return nil, errors.New(strings.Join(why, "; "))
	}
	if strings.ContainsAny(s.Name, "/:\x00") || len(s.Name) > maxName {
		return nil, fmt.Errorf("its name %q is not fit for a cgroup: at most %d bytes, no slash or colon", s.Name, maxName)
	}
	token := newToken(s.Name)
	g, err := d.hierarchies.create(cgroupName(token), d.held, s.Limits)
	if err != nil {
		return nil, fmt.Errorf("cannot make its cgroup: %w", err)
	}
	id, pidfd, err := d.spawn(s, g, token)
	if err != nil {
		g.remove()
		return nil, err
	}
	p, err := d.followChild(id, pidfd)
	d.spawning.RUnlock()
	if err != nil {
		abandon(id.Pid)
		g.remove()
		return nil, err
	}
	return p, nil
}

func (d *Door) followChild(id Identity, pidfd int) (*Process, error) {
	l, err := newLeader(id.Pid, pidfd)
	if err != nil {
		return nil, err
	}
	return d.follow(id, d.treeOf(id), l)
}

// spawn forks and execs. On success it leaves d.spawning locked for reading:
// the child is nobody's until it is registered.
func (d *Door) spawn(s Spec, g group, token string) (id Identity, pidfd int, err error) {
	attr, release, err := d.attributes(s, g, token)
	if err != nil {
		return id, -1, err
	}
	defer release()
	pidfd = -1
	attr.Sys.PidFD = &pidfd
	d.spawning.RLock()
	defer func() {
		if err != nil {
			d.spawning.RUnlock()
		}
	}()
	var pid int
	if d.needsShim(s) {
		pid, err = spawnThroughShim(s, g, attr)
	} else {
		pid, err = forkExec(s.Path, s.Args, attr)
		err = explain(s, err)
	}
	if err != nil {
		if pidfd >= 0 {
			unix.Close(pidfd)
		}
		return id, -1, err
	}
	if pidfd < 0 {
		abandon(pid)
		return id, -1, errors.New("the kernel gives no pidfd (needs Linux 5.4)")
	}
	id = Identity{Pid: pid, BootID: bootID(), Cgroup: g.unified + g.freezer, Token: token}
	if st, err := readStat(pid); err == nil {
		id.StartTicks = st.start
	}
	d.resetOOMScore(s, pid)
	return id, pidfd, nil
}

// forkExec starts a program that has no signal blocked, whatever this one
// blocks: the kernel hands down the mask of the thread that forks.
func forkExec(path string, args []string, attr *syscall.ProcAttr) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, own unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, &own); err != nil {
		return 0, fmt.Errorf("cannot unblock signals: %w", err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &own, nil) }()
	return syscall.ForkExec(path, args, attr)
}

// attributes are what the kernel sets up between fork and exec.
func (d *Door) attributes(s Spec, g group, token string) (*syscall.ProcAttr, func(), error) {
	credential, err := lookup(s.User, s.Group)
	if err != nil {
		return nil, nil, err
	}
	attr := &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   s.Env,
		Files: files(s, d.null),
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: credential.attribute()},
	}
	if d.held == session {
		attr.Env = append(append([]string{}, s.Env...), tokenVariable+"="+token)
	}
	release := func() {}
	if g.unified != "" {
		fd, err := unix.Open(g.unified, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot enter its cgroup: %w", err)
		}
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, fd
		release = func() { unix.Close(fd) }
	}
	return attr, release, nil
}
