package process

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// shimName is the argv[0] by which the program recognises that it is to become
// a component; its only argument is the number of the fd with the order.
const shimName = "peerd:shim"

// shimReady: without a Shim in main, re-executing would run the program itself
// instead of the component.
var shimReady atomic.Bool

var errNoShim = errors.New("this program cannot apply restrictions: it does not call process.Shim first thing in main")

// Shim must be called first thing in main of every program that opens a Door,
// and in TestMain of every test that does. In an ordinary run it returns at
// once. In a process that Start made to apply restrictions, it applies them
// and becomes the component; it does not return then.
func Shim() {
	shimReady.Store(true)
	if len(os.Args) != 2 || os.Args[0] != shimName {
		return
	}
	runtime.LockOSThread() // capabilities, Landlock, nice: all belong to one thread
	fd, err := strconv.Atoi(os.Args[1])
	if err != nil {
		os.Exit(2)
	}
	report := os.NewFile(uintptr(fd+1), "report")
	err = carryOut(os.NewFile(uintptr(fd), "order"), fd)
	_ = json.NewEncoder(report).Encode(newFailure(err))
	os.Exit(127)
}

// order is what the shim has to do. It travels in a memory file: neither argv
// nor environment of the shim show any of it.
type order struct {
	Path, Dir   exact
	Args, Env   []exact
	ReadOnly    []exact
	ReadWrite   []exact
	Credential  *credential
	Join        []string // cgroup.procs files to enter
	NoFile      uint64
	Nice        int
	OOMScoreAdj *int
	Sandbox     Sandbox // save the paths
	Checksum    string
}

// exact is a string that survives JSON though it be no UTF-8.
type exact string

func (e exact) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, []byte(e)), nil
}

func (e *exact) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	*e = exact(raw)
	return err
}

func exactly(list []string) []exact {
	out := make([]exact, len(list))
	for i, s := range list {
		out[i] = exact(s)
	}
	return out
}

func plainly(list []exact) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// failure is the shim's answer when it could not become the component.
type failure struct {
	Step  string
	Errno syscall.Errno
	Text  string
}

// failed names the step that an error happened in.
type failed struct {
	step string
	err  error
}

func (f failed) Error() string { return f.step + ": " + f.err.Error() }
func (f failed) Unwrap() error { return f.err }

func newFailure(err error) failure {
	f := failure{Text: err.Error()}
	var at failed
	if errors.As(err, &at) {
		f.Step, f.Text = at.step, at.err.Error()
	}
	errors.As(err, &f.Errno)
	return f
}

// error is what the shim's error was, across the process boundary.
func (f failure) error(s Spec) error {
	err := error(reported{f.Text, f.Errno})
	if f.Step == "" {
		return explain(s, err)
	}
	return failed{f.Step, err}
}

// reported is a text that errors.Is can still tell by its errno.
type reported struct {
	text  string
	errno syscall.Errno
}

func (r reported) Error() string { return r.text }

func (r reported) Unwrap() error {
	if r.errno == 0 {
		return nil
	}
	return r.errno
}

// needsShim says whether fork and exec alone cannot do it.
func (d *Door) needsShim(s Spec) bool {
	return s.Checksum != "" || s.Limits.NoFile > 0 || s.Limits.Nice != 0 || s.Limits.OOMScoreAdj != nil ||
		s.Sandbox.restricts() || d.joins(s.Limits) || ignoresSignals()
}

// joins says whether the process has to enter cgroups of version 1, into which
// it cannot be cloned.
func (d *Door) joins(l Limits) bool {
	if d.held == cgroupFreezer {
		return true
	}
	for _, s := range l.v1() {
		if d.hierarchies.onV1(d.held, s.controller) {
			return true
		}
	}
	return false
}

// restricts says whether anything of the sandbox is asked for.
func (s Sandbox) restricts() bool {
	return s.NoNewPrivileges || s.Capabilities != nil || s.landlocked()
}

func (s Sandbox) landlocked() bool { return len(s.ReadOnly)+len(s.ReadWrite) > 0 }

// spawnThroughShim is ForkExec by way of Shim. It returns once the component
// was execed, or the error of the step that failed.
func spawnThroughShim(s Spec, g group, attr *syscall.ProcAttr) (int, error) {
	if !shimReady.Load() {
		return 0, errNoShim
	}
	o, err := newOrder(s, g, attr)
	if err != nil {
		return 0, err
	}
	defer o.Close()
	report, answer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer report.Close()
	first := len(attr.Files)
	shim := *attr
	shim.Files = append(append([]uintptr{}, attr.Files...), o.Fd(), answer.Fd())
	shim.Dir, shim.Env = "", []string{}
	sys := *attr.Sys
	sys.Credential = nil
	shim.Sys = &sys
	pid, err := forkExec("/proc/self/exe", []string{shimName, strconv.Itoa(first)}, &shim)
	answer.Close()
	if err != nil {
		return 0, err
	}
	var f failure
	switch err := json.NewDecoder(report).Decode(&f); {
	case errors.Is(err, io.EOF):
		return pid, nil
	case err != nil:
		abandon(pid)
		return 0, fmt.Errorf("cannot read the answer of the shim: %w", err)
	}
	abandon(pid)
	return 0, f.error(s)
}

func newOrder(s Spec, g group, attr *syscall.ProcAttr) (*os.File, error) {
	o := order{
		Path: exact(s.Path), Dir: exact(s.Dir), Args: exactly(s.Args), Env: exactly(attr.Env),
		ReadOnly: exactly(s.Sandbox.ReadOnly), ReadWrite: exactly(s.Sandbox.ReadWrite),
		Join:   g.joined(),
		NoFile: s.Limits.NoFile, Nice: s.Limits.Nice, OOMScoreAdj: s.Limits.OOMScoreAdj,
		Sandbox: s.Sandbox, Checksum: s.Checksum,
	}
	o.Sandbox.ReadOnly, o.Sandbox.ReadWrite = nil, nil
	if c := attr.Sys.Credential; c != nil {
		o.Credential = &credential{UID: c.Uid, GID: c.Gid}
	}
	fd, err := unix.MemfdCreate("order", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "order")
	if err := json.NewEncoder(file).Encode(o); err != nil {
		file.Close()
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// carryOut applies the order to this process and becomes the component; it
// returns only on failure. What needs privilege comes before they are dropped,
// what restricts the shim itself comes last.
func carryOut(file *os.File, keep int) error {
	var o order
	if err := json.NewDecoder(file).Decode(&o); err != nil {
		return failed{"cannot read the order", err}
	}
	o.Sandbox.ReadOnly, o.Sandbox.ReadWrite = plainly(o.ReadOnly), plainly(o.ReadWrite)
	// The report's fd is closed by a successful exec: that is its message.
	if err := unix.CloseRange(uint(keep), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil && err != unix.ENOSYS && err != unix.EINVAL {
		return failed{"close inherited files", err}
	}
	unix.CloseOnExec(keep)
	unix.CloseOnExec(keep + 1)
	program, err := openProgram(o)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"enter the cgroup", o.enter},
		{"raise the limit of open files", o.raiseNoFile},
		{"set nice", o.setNice},
		{"set oomScoreAdj", o.setOOMScore},
		{"drop capabilities from the bounding set", o.dropBounding},
		{"change user and group", o.become},
		{"", o.chdir}, // which folder it is on the way there, explain says
		{"set capabilities", o.setCapabilities},
		{"set noNewPrivileges", o.noNewPrivileges},
		{"restrict paths", o.restrictPaths},
		{"limit open files", o.limitNoFile},
		{"reset signals", resetSignals},
	} {
		if err := step.do(); err != nil {
			return failed{step.name, err}
		}
	}
	return program.exec(o)
}
