package process

import (
	"context"
	"os"
	"syscall"
	"time"
)

// Spec says how to spawn one process. Everything not named here is closed or
// reset: fds above 2, signal masks and dispositions, controlling terminal,
// supplementary groups (when Credential is set).
type Spec struct {
	Path   string   // executable, resolved by the caller
	Args   []string // argv, Args[0] included
	Env    []string // the whole environment
	Dir    string
	Stdout *os.File // nil: /dev/null; stdin is always /dev/null
	Stderr *os.File
	Extra  []*os.File // become fd 3, 4, …
	Name   string     // unique name for the cgroup, file-system safe

	User, Group string // "" = as the peer
	Limits      Limits
	Sandbox     Sandbox
	Checksum    string // "sha256:<hex>" of the very file executed; "" = any
}

// Limits bound what a process tree may use; zero values are "not limited".
type Limits struct {
	Memory      int64   // bytes, whole tree
	CPU         float64 // cores, whole tree
	Pids        int     // whole tree
	NoFile      uint64
	Nice        int
	OOMScoreAdj *int
}

// Sandbox restricts what the process may do.
type Sandbox struct {
	NoNewPrivileges bool
	ReadOnly        []string // Landlock
	ReadWrite       []string
	Capabilities    *[]string // nil: unchanged; empty: none
}

// Exit is how a process ended.
type Exit struct {
	Code   int    // 0-255; -1 when ended by a signal or unknown
	Signal string // "SIGKILL"; "" when ended by exit
	Reason string // why unknown
	At     time.Time
}

// Identity names a process beyond its reusable pid.
type Identity struct {
	Pid        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"` // /proc/PID/stat field 22
	BootID     string `json:"bootId"`
	Cgroup     string `json:"cgroup,omitempty"` // path of its own cgroup, if it has one
}

// Member is one process of a tree.
type Member struct {
	Pid     int
	Command string
	State   string // R S D T Z …
}

// Process is a spawned child with its whole tree. Its methods are safe for
// concurrent use.
type Process struct{}

// Door is the spawner: it owns waiting for children and reaping orphans. Make
// one per operating-system process.
type Door struct{}

// Open prepares spawning: child subreaper, cgroup root where the host gives
// one. It never fails for want of a feature: Containment says what is had.
func Open() (*Door, error) { panic("seam") }

// Containment says how trees are held: "cgroup v2", "cgroup v1 freezer" or
// "process group and subreaper".
func (d *Door) Containment() string { panic("seam") }

// Unsupported lists what of s this host cannot enforce, one sentence each; a
// component with any is not started.
func (d *Door) Unsupported(s Spec) []string { panic("seam") }

// Start spawns s and returns once it has execed or failed to: an error means
// that nothing was left running. It does not block on the process itself.
func (d *Door) Start(s Spec) (*Process, error) { panic("seam") }

// Close waits for the reaper to end; running children stay untouched.
func (d *Door) Close() error { panic("seam") }

// Identity of the leader.
func (p *Process) Identity() Identity { panic("seam") }

// Exited is closed when the leader has ended, as wait says; never by a pipe.
func (p *Process) Exited() <-chan struct{} { panic("seam") }

// Exit is valid once Exited is closed.
func (p *Process) Exit() Exit { panic("seam") }

// Signal sends sig to every member of the tree, SIGCONT first where members
// are stopped. A finished process is no error.
func (p *Process) Signal(sig syscall.Signal) error { panic("seam") }

// Kill sends SIGKILL to the whole tree, repeatedly until it is empty or ctx
// ends, and returns what is left then (nil when empty).
func (p *Process) Kill(ctx context.Context) []Member { panic("seam") }

// Members lists the living (zombies excluded) of the tree.
func (p *Process) Members() []Member { panic("seam") }

// Release frees the tree's cgroup and fds; call it once the tree is empty.
func (p *Process) Release() { panic("seam") }

// Usage is what the operating system says of a tree.
type Usage struct {
	Memory  int64         // resident bytes
	CPUTime time.Duration // user + system
	Threads int
	FDs     int
	Pids    int
}

// Usage samples the tree.
func (p *Process) Usage() (Usage, error) { panic("seam") }
