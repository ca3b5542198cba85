package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// limits says whether a controller can bound instances.
func (h hierarchies) limits(controller string) bool {
	return h.v2[controller] || h.v1[controller] != ""
}

// group is the cgroup of one instance, in as many hierarchies as it needs.
type group struct {
	unified string   // "" without cgroup v2
	freezer string   // "" unless it holds the tree
	others  []string // v1 folders that only limit
}

// joined lists the cgroup.procs files the leader itself has to enter; into
// cgroup v2 it is cloned.
func (g group) joined() []string {
	var files []string
	for _, dir := range append([]string{g.freezer}, g.others...) {
		if dir != "" {
			files = append(files, filepath.Join(dir, "cgroup.procs"))
		}
	}
	return files
}

// setting is one line to write into one file of a cgroup.
type setting struct{ controller, file, value string }

// cpuPeriod is the time slice, in microseconds, that a share of CPU refers to.
const cpuPeriod = 100_000

func (l Limits) v2() []setting {
	var s []setting
	if l.Memory > 0 {
		s = append(s, setting{"memory", "memory.max", strconv.FormatInt(l.Memory, 10)},
			setting{"memory", "memory.swap.max", "0"})
	}
	if l.CPU > 0 {
		s = append(s, setting{"cpu", "cpu.max", strconv.Itoa(int(l.CPU*cpuPeriod)) + " " + strconv.Itoa(cpuPeriod)})
	}
	if l.Pids > 0 {
		s = append(s, setting{"pids", "pids.max", strconv.Itoa(l.Pids)})
	}
	return s
}

func (l Limits) v1() []setting {
	var s []setting
	if l.Memory > 0 {
		bytes := strconv.FormatInt(l.Memory, 10)
		s = append(s, setting{"memory", "memory.limit_in_bytes", bytes},
			setting{"memory", "memory.memsw.limit_in_bytes", bytes})
	}
	if l.CPU > 0 {
		s = append(s, setting{"cpu", "cpu.cfs_period_us", strconv.Itoa(cpuPeriod)},
			setting{"cpu", "cpu.cfs_quota_us", strconv.Itoa(int(l.CPU * cpuPeriod))})
	}
	if l.Pids > 0 {
		s = append(s, setting{"pids", "pids.max", strconv.Itoa(l.Pids)})
	}
	return s
}

// optional settings refine a limit where the kernel accounts swap.
func (s setting) optional() bool {
	return s.file == "memory.swap.max" || s.file == "memory.memsw.limit_in_bytes"
}

// create makes the cgroups of one instance and bounds them. On an error
// nothing is left.
func (h hierarchies) create(name string, held containment, l Limits) (g group, err error) {
	defer func() {
		if err != nil {
			g.remove()
			g = group{}
		}
	}()
	if held == cgroupV2 {
		g.unified = filepath.Join(h.unified, name)
		if err := os.Mkdir(g.unified, 0o755); err != nil {
			return g, err
		}
		for _, s := range l.v2() {
			if !h.v2[s.controller] {
				continue
			}
			if err := s.write(g.unified); err != nil {
				return g, err
			}
		}
	}
	if held == cgroupFreezer {
		g.freezer = filepath.Join(h.v1["freezer"], name)
		if err := os.Mkdir(g.freezer, 0o755); err != nil {
			return g, err
		}
	}
	for _, s := range l.v1() {
		if !h.onV1(held, s.controller) {
			continue
		}
		if err := g.limit(filepath.Join(h.v1[s.controller], name), s); err != nil {
			return g, err
		}
	}
	return g, nil
}

// onV1 says whether a controller is to be used in version 1: where it is only
// there, or the tree is not held by version 2.
func (h hierarchies) onV1(held containment, controller string) bool {
	return h.v1[controller] != "" && !(held == cgroupV2 && h.v2[controller])
}

// limit writes one v1 setting, making its folder first.
func (g *group) limit(dir string, s setting) error {
	switch err := os.Mkdir(dir, 0o755); {
	case err == nil:
		g.others = append(g.others, dir)
	case !os.IsExist(err):
		return err
	}
	return s.write(dir)
}

func (s setting) write(dir string) error {
	err := writeFile(filepath.Join(dir, s.file), s.value)
	if err != nil && s.optional() {
		return nil
	}
	return err
}

// A process may hold its cgroup for a moment after it was seen to have ended.
const (
	removeTries = 6
	removePause = time.Millisecond
)

// remove deletes the cgroups. One that still holds processes stays, and is
// swept up later.
func (g group) remove() {
	for _, dir := range append([]string{g.unified, g.freezer}, g.others...) {
		pause := removePause
		for range removeTries {
			if dir == "" || !errors.Is(removeCgroup(dir), syscall.EBUSY) {
				break
			}
			time.Sleep(pause) //nolint:forbidigo // the kernel announces this to nobody
			pause *= 2
		}
	}
}

// removeCgroup deletes deepest first: a member may have made its own below.
func removeCgroup(dir string) error {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeCgroup(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(dir)
}

// cgroupPids lists the processes of dir and of every cgroup below it; a removed
// cgroup has none.
func cgroupPids(dir string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, ignoreGone(err)
	}
	var pids []int
	for word := range bytes.FieldsSeq(text) {
		if pid := int(atoi(word)); pid > 0 {
			pids = append(pids, pid)
		}
	}
	entries, err := os.ReadDir(dir)
	errs := []error{ignoreGone(err)}
	for _, entry := range entries {
		if entry.IsDir() {
			below, err := cgroupPids(filepath.Join(dir, entry.Name()))
			pids, errs = append(pids, below...), append(errs, err)
		}
	}
	return pids, errors.Join(errs...)
}

// writeFile writes into an existing kernel file in one write; it never creates.
func writeFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// cgroupName is the name of an instance's cgroups.
func cgroupName(token string) string { return strings.ReplaceAll(token, ":", "-") }

// find gathers the cgroups of an instance, which another process may have made.
func (h hierarchies) find(id Identity) group {
	var g group
	switch {
	case id.Cgroup == "":
	case exists(filepath.Join(id.Cgroup, "freezer.state")):
		g.freezer = id.Cgroup
	default:
		g.unified = id.Cgroup
	}
	for _, controller := range limitControllers {
		dir := filepath.Join(h.v1[controller], cgroupName(id.Token))
		if h.v1[controller] != "" && id.Token != "" && exists(dir) {
			g.others = append(g.others, dir)
		}
	}
	return g
}
