package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = time.Second / 100

// stat is what is needed of /proc/PID/stat.
type stat struct {
	pid, ppid, session int
	command            string
	state              byte
	cpu                time.Duration // its own and that of the children it waited for
	threads            int
	start              uint64 // clock ticks since boot
	memory             int64  // resident bytes
}

// alive says whether the process can still run; a zombie cannot.
func (s stat) alive() bool { return s.state != 'Z' && s.state != 'X' }

func (s stat) member() Member {
	return Member{Pid: s.pid, Command: s.command, State: string(s.state)}
}

var statBuffers = sync.Pool{New: func() any { return new([1024]byte) }}

// readStat costs one open, one read and one close, and no heap but the name.
func readStat(pid int) (stat, error) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return stat{}, err
	}
	defer unix.Close(fd)
	buffer := statBuffers.Get().(*[1024]byte)
	defer statBuffers.Put(buffer)
	n, err := unix.Read(fd, buffer[:])
	if err != nil {
		return stat{}, err
	}
	return parseStat(buffer[:n])
}

var errStat = errors.New("malformed /proc/PID/stat")

// parseStat reads one line of /proc/PID/stat. The command is in brackets and
// may itself hold brackets and spaces: the last closing one ends it.
func parseStat(line []byte) (stat, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 1 || end < open || end+2 >= len(line) {
		return stat{}, errStat
	}
	var fields [22]int64 // from field 3 (state) to field 24 (rss)
	rest := line[end+2:]
	state := rest[0]
	for i := range fields {
		word, tail, _ := bytes.Cut(rest, []byte(" "))
		if i > 0 {
			fields[i] = atoi(word)
		}
		if rest = tail; len(rest) == 0 && i < len(fields)-1 {
			return stat{}, errStat
		}
	}
	return stat{
		pid:     int(atoi(line[:open-1])),
		ppid:    int(fields[1]),
		session: int(fields[3]),
		command: string(line[open+1 : end]),
		state:   state,
		cpu:     time.Duration(fields[11]+fields[12]+fields[13]+fields[14]) * clockTick,
		threads: int(fields[17]),
		start:   uint64(fields[19]),
		memory:  fields[21] * int64(os.Getpagesize()),
	}, nil
}

// atoi reads a decimal number the kernel wrote, without allocating.
func atoi(word []byte) int64 {
	var n int64
	negative := false
	for i, c := range word {
		switch {
		case i == 0 && c == '-':
			negative = true
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		default:
			return n
		}
	}
	if negative {
		return -n
	}
	return n
}

// children lists the direct children of this process.
func children() []int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	var pids []int
	for _, task := range tasks {
		list, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if errors.Is(err, os.ErrNotExist) && len(pids) == 0 && !hasChildrenFile() {
			return childrenByScan()
		}
		for word := range bytes.FieldsSeq(list) {
			pids = append(pids, int(atoi(word)))
		}
	}
	return pids
}

// hasChildrenFile is false for kernels built without CONFIG_PROC_CHILDREN.
var hasChildrenFile = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/thread-self/children")
	return err == nil
})

func childrenByScan() []int {
	self := os.Getpid()
	var pids []int
	all, _ := allPids()
	for _, pid := range all {
		if s, err := readStat(pid); err == nil && s.ppid == self {
			pids = append(pids, pid)
		}
	}
	return pids
}

func allPids() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// countFDs asks the size of /proc/PID/fd, which is the number of open files
// since Linux 6.2; older kernels say 0 and the folder is read.
func countFDs(pid int) int {
	path := "/proc/" + strconv.Itoa(pid) + "/fd"
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && st.Size > 0 {
		return int(st.Size)
	}
	dir, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return len(names)
}

var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// Identify gives the identity of a living process, [ErrGone] if there is none.
func Identify(pid int) (Identity, error) {
	s, err := readStat(pid)
	if err != nil || !s.alive() {
		return Identity{}, fmt.Errorf("cannot identify process %d: %w", pid, ErrGone)
	}
	return Identity{Pid: pid, StartTicks: s.start, BootID: bootID()}, nil
}

// Alive says whether the very process that id names still lives.
func (id Identity) Alive() bool {
	s, err := readStat(id.Pid)
	return err == nil && s.alive() && id.matches(s)
}

func (id Identity) matches(s stat) bool {
	return s.start == id.StartTicks && id.BootID == bootID()
}

// CommandName is the name of the running program as the kernel knows it (at
// most 15 bytes), "" when there is no such process.
func CommandName(pid int) string {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(name), "\n")
}
