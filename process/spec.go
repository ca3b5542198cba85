package process

import (
	"os"
	"time"
)

// Spec says how to spawn one process. Everything not named here is closed or
// reset: fds above 2, signal mask and dispositions, controlling terminal,
// supplementary groups (when User or Group is set). The process leads its own
// session.
type Spec struct {
	Path   string   // executable, absolute
	Args   []string // argv, Args[0] included
	Env    []string // the whole environment; see Door.Containment for the one addition
	Dir    string
	Stdout *os.File // nil: /dev/null; stdin is always /dev/null
	Stderr *os.File
	Extra  []*os.File // become fd 3, 4, …
	Name   string     // names the cgroup: at most 200 bytes, no slash or colon; see Door.Find

	User, Group string // name or id; "" = as the peer
	Limits      Limits
	Sandbox     Sandbox
	Checksum    string // "sha256:<hex>" of the very file executed; "" = any
}

// Limits bound what a process tree may use; zero values are "not limited".
type Limits struct {
	Memory      int64   // bytes, whole tree
	CPU         float64 // cores, whole tree
	Pids        int     // whole tree
	NoFile      uint64  // open files of each process, soft and hard
	Nice        int     // -20…19; 0 is the peer's own
	OOMScoreAdj *int    // -1000…1000; nil: the peer's own, but never protected (below 0)
}

// Sandbox restricts what the process may do.
//
// ReadOnly and ReadWrite are Landlock allow-lists: once either is set, every
// other path is out of reach, save the executable itself, shared libraries and
// the harmless devices (/dev/null, /dev/zero, /dev/urandom).
type Sandbox struct {
	NoNewPrivileges bool
	ReadOnly        []string
	ReadWrite       []string
	Capabilities    *[]string // names as "CAP_NET_BIND_SERVICE"; nil: unchanged; empty: none
}

// Exit is how a process ended.
type Exit struct {
	Code   int    // 0-255; -1 when ended by a signal or unknown
	Signal string // "SIGKILL"; "" when ended by exit
	Reason string // why unknown
	At     time.Time
}

// Identity names a process beyond its reusable pid. It can be stored, and
// handed to [Door.Adopt] by another operating-system process later.
type Identity struct {
	Pid        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"` // /proc/PID/stat field 22
	BootID     string `json:"bootId"`
	Cgroup     string `json:"cgroup,omitempty"` // path of its own cgroup, if it has one
	Token      string `json:"token,omitempty"`  // unique for this generation; marks its tree
}

// Member is one process of a tree.
type Member struct {
	Pid     int
	Command string
	State   string // R S D T Z …
}

// Usage is what the operating system says of a tree.
type Usage struct {
	Memory  int64         // resident bytes
	CPUTime time.Duration // user + system
	Threads int
	FDs     int
	Pids    int
}
