package process

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
)

// Door is the spawner: it owns waiting for children. Make one per
// operating-system process. On this platform a tree is its process group:
// members which leave that are not held.
type Door struct {
	null    *os.File
	reserve *reserve
	closing chan struct{}
	close   sync.Once
	running sync.WaitGroup
}

// Open prepares spawning.
func Open() (*Door, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the door to processes: %w", err)
	}
	return &Door{null: null, reserve: newReserve(), closing: make(chan struct{})}, nil
}

// Reopen is Open: nothing outlives its peer on this platform.
func Reopen() (*Door, error) { return Open() }

// Containment says how trees are held: "process group".
func (d *Door) Containment() string { return "process group" }

// Close ends what watches the children; they stay untouched.
func (d *Door) Close() (err error) {
	d.close.Do(func() {
		close(d.closing)
		d.running.Wait()
		d.reserve.close()
		err = d.null.Close()
	})
	return err
}

// Shim does nothing on this platform: no restriction needs it.
func Shim() {}

// Adopt is not to be had on this platform.
func (d *Door) Adopt(id Identity) (*Process, error) {
	return nil, fmt.Errorf("cannot adopt process %d: %w on this platform", id.Pid, errors.ErrUnsupported)
}

// Start spawns s and returns once it has execed or failed to: an error means
// that nothing was left running. It does not block on the process itself.
func (d *Door) Start(s Spec) (*Process, error) {
	if why := d.Unsupported(s); len(why) > 0 {
		return nil, fmt.Errorf("cannot spawn %q: %s", s.Path, strings.Join(why, "; "))
	}
	who, err := lookup(s.User, s.Group)
	if err != nil {
		return nil, fmt.Errorf("cannot spawn %q: %w", s.Path, err)
	}
	pid, err := syscall.ForkExec(s.Path, s.Args, &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   s.Env,
		Files: files(s, d.null),
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: who.attribute()},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot spawn %q: %w", s.Path, explain(s, err))
	}
	p := newProcess(Identity{Pid: pid}, groupTree{pid}, newChild(pid), d.reserve)
	d.running.Go(func() { p.watch(d.closing, func() {}) })
	return p, nil
}

// Unsupported lists what of s this platform cannot enforce, one sentence each;
// a component with any is not started.
func (d *Door) Unsupported(s Spec) []string {
	var why []string
	add := func(asked bool, what string) {
		if asked {
			why = append(why, what+" cannot be enforced on this platform")
		}
	}
	if _, err := lookup(s.User, s.Group); err != nil {
		why = append(why, err.Error())
	} else if s.User+s.Group != "" && os.Geteuid() != 0 {
		why = append(why, "only root can run a component as another user or group, without supplementary groups")
	}
	add(s.Limits != Limits{}, "resources")
	add(s.Checksum != "", "checksum")
	box := s.Sandbox
	add(box.NoNewPrivileges || len(box.ReadOnly)+len(box.ReadWrite) > 0 || box.Capabilities != nil, "sandbox")
	return why
}
