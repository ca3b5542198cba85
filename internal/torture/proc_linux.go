package torture

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// StartOf is when a process began, in clock ticks from boot; false when it is
// not there or only a zombie of it.
func StartOf(pid int) (uint64, bool) {
	f := statOf(pid)
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" {
		return 0, false
	}
	start, err := strconv.ParseUint(f[19], 10, 64)
	return start, err == nil
}

// Lives reports whether a process is there still.
func Lives(id ID) bool {
	start, ok := StartOf(id.Pid)
	return ok && start == id.Start
}

// statOf are the fields of /proc/PID/stat from the state on, which is the
// third.
func statOf(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := bytes.Cut(b[bytes.LastIndexByte(b, ')'):], []byte(" "))
	return strings.Fields(string(rest))
}

// Process is what /proc tells of a living process.
type Process struct {
	ID
	Parent  int
	Session int
	Argv    []string
}

// Processes lists the living processes whose environment has an entry
// "NAME=value". Those that nobody may look into are left out.
func Processes(entry string) (found []Process) {
	mark := []byte("\x00" + entry + "\x00")
	for _, pid := range pids() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !bytes.Contains(append([]byte{0}, env...), mark) {
			continue
		}
		if p, ok := ProcessOf(pid); ok {
			found = append(found, p)
		}
	}
	return found
}

// Children lists the living children of a process.
func Children(parent int) (found []Process) {
	for _, pid := range pids() {
		if p, ok := ProcessOf(pid); ok && p.Parent == parent {
			found = append(found, p)
		}
	}
	return found
}

// pids are those of all processes.
func pids() (all []int) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// ProcessOf looks at one process.
func ProcessOf(pid int) (p Process, ok bool) {
	start, ok := StartOf(pid)
	f := statOf(pid)
	if !ok || len(f) < 4 {
		return Process{}, false
	}
	p.ID = ID{pid, start}
	p.Parent, _ = strconv.Atoi(f[1])
	p.Session, _ = strconv.Atoi(f[3])
	argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	p.Argv = strings.Split(strings.TrimSuffix(string(argv), "\x00"), "\x00")
	return p, true
}

// UsageOf counts what a process holds.
func UsageOf(pid int) (u Usage, err error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return u, err
	}
	u.Files = len(files)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		number, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		n, _ := strconv.Atoi(number)
		switch key {
		case "Threads":
			u.Threads = n
		case "VmRSS":
			u.MemoryKiB = n
		}
	}
	return u, nil
}
