//go:build linux

package acceptance_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// processes are the pids of all processes that this test's peer launched,
// however deep, told by the variable that marks them. Zombies do not count.
func (p *peerd) processes() (pids []int) {
	mark := []byte("\x00TMPDIR=" + p.path("tmp") + "\x00")
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, env...), mark) {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if p.cmd == nil || pid != p.cmd.Process.Pid || p.ended != nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// nothingLives wants that no process of this test is there any more, and ends
// those that are.
func (p *peerd) nothingLives() {
	p.t.Helper()
	for _, pid := range p.processes() {
		p.t.Errorf("left behind: pid %d: %s", pid, commandOf(pid))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func commandOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
}

// alive reports whether a process is there and no zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, ok := strings.Cut(string(b), ") ")
	return ok && !strings.HasPrefix(rest, "Z")
}

// environOf lists a process's environment.
func (p *peerd) environOf(pid int) []string {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Split(strings.Trim(string(b), "\x00"), "\x00")
}

// filesOf are a process's open files by descriptor.
func (p *peerd) filesOf(pid int) map[string]string {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		p.t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		files[e.Name()], _ = os.Readlink(filepath.Join(dir, e.Name()))
	}
	return files
}

// pids are the instances' pids and generations, to compare before and after.
func (p *peerd) pids(names ...string) map[string][2]uint64 {
	p.t.Helper()
	all := map[string][2]uint64{}
	for name, i := range p.ps() {
		if len(names) == 0 || slices.Contains(names, name) {
			all[name] = [2]uint64{uint64(i.Pid), i.Generation}
		}
	}
	return all
}
