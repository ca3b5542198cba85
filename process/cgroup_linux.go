package process

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// folder is the name of the cgroup that holds all instances of all peers.
const folder = "peerd"

// hierarchies are the cgroup folders this Door may create instances in; ""
// where the host gives none.
type hierarchies struct {
	unified string            // cgroup v2
	v1      map[string]string // controller → folder
	v2      map[string]bool   // controllers enabled for the children of unified
}

// limitControllers are those that bound a tree.
var limitControllers = []string{"memory", "cpu", "pids"}

// v1Controllers are those of use on a host with cgroup v1.
var v1Controllers = append([]string{"freezer"}, limitControllers...)

// findHierarchies looks where this process lives, makes the peer's folder
// there, and keeps only what can be written.
func findHierarchies() hierarchies {
	h := hierarchies{v1: map[string]string{}, v2: map[string]bool{}}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return h
	}
	defer mounts.Close()
	own := ownCgroups()
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		m, ok := parseMount(lines.Text())
		if !ok {
			continue
		}
		switch m.kind {
		case "cgroup2":
			if dir := prepare(m.dir(own[""])); dir != "" && exists(filepath.Join(dir, "cgroup.procs")) {
				h.unified = dir
				h.v2 = delegate(dir)
			}
		case "cgroup":
			for _, controller := range strings.Split(m.options, ",") {
				if !slices.Contains(v1Controllers, controller) {
					continue
				}
				if dir := prepare(m.dir(own[controller])); dir != "" {
					h.v1[controller] = dir
				}
			}
		}
	}
	return h
}

// mount is one line of /proc/self/mountinfo.
type mount struct{ root, point, kind, options string }

func parseMount(line string) (mount, bool) {
	left, right, ok := strings.Cut(line, " - ")
	before, after := strings.Fields(left), strings.Fields(right)
	if !ok || len(before) < 5 || len(after) < 3 {
		return mount{}, false
	}
	return mount{root: before[3], point: before[4], kind: after[0], options: after[2]}, true
}

// dir is where the cgroup path is seen below the mount.
func (m mount) dir(path string) string {
	if path == "" {
		return ""
	}
	inside, err := filepath.Rel(m.root, path)
	if err != nil || strings.HasPrefix(inside, "..") {
		return ""
	}
	return filepath.Join(m.point, inside)
}

// ownCgroups maps each v1 controller, and "" for v2, to this process's path.
func ownCgroups() map[string]string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	own := map[string]string{}
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) != 3 {
			continue
		}
		for _, controller := range strings.Split(part[1], ",") {
			own[controller] = part[2]
		}
	}
	return own
}

// prepare makes the peer's folder in dir and says where it is, "" if it may
// not. A process which was itself spawned into such a folder goes up to it, so
// that a keeper started by a peer uses the peer's and not one deeper.
func prepare(dir string) string {
	if dir == "" {
		return ""
	}
	if above := filepath.Dir(dir); filepath.Base(above) == folder {
		dir = filepath.Dir(above)
	}
	dir = filepath.Join(dir, folder)
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return ""
	}
	if unix.Access(dir, unix.W_OK) != nil {
		return ""
	}
	return dir
}

// delegate hands the limiting controllers down to the instances, as far as the
// host lets it: a cgroup that itself holds processes cannot, unless it is the
// root.
func delegate(dir string) map[string]bool {
	for _, at := range []string{filepath.Dir(dir), dir} {
		for _, controller := range limitControllers {
			_ = writeFile(filepath.Join(at, "cgroup.subtree_control"), "+"+controller)
		}
	}
	enabled := map[string]bool{}
	text, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	for _, controller := range strings.Fields(string(text)) {
		enabled[controller] = true
	}
	return enabled
}

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
		if (held == cgroupV2 && h.v2[s.controller]) || h.v1[s.controller] == "" {
			continue
		}
		if err := g.limit(filepath.Join(h.v1[s.controller], name), s); err != nil {
			return g, err
		}
	}
	return g, nil
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

// remove deletes the cgroups, deepest first: a member may have made its own
// below. It does nothing to a cgroup that still holds processes.
func (g group) remove() {
	for _, dir := range append([]string{g.unified, g.freezer}, g.others...) {
		if dir != "" {
			removeCgroup(dir)
		}
	}
}

func removeCgroup(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			removeCgroup(filepath.Join(dir, entry.Name()))
		}
	}
	_ = syscall.Rmdir(dir)
}

// cgroupPids lists the processes of dir and of every cgroup below it.
func cgroupPids(dir string) []int {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		if pid := int(atoi([]byte(word))); pid > 0 {
			pids = append(pids, pid)
		}
	}
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			pids = append(pids, cgroupPids(filepath.Join(dir, entry.Name()))...)
		}
	}
	return pids
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

// find gathers the cgroups of an instance that another process made, by the
// one which holds its tree.
func (h hierarchies) find(dir string) group {
	var g group
	if exists(filepath.Join(dir, "freezer.state")) {
		g.freezer = dir
	} else {
		g.unified = dir
	}
	for _, controller := range limitControllers {
		other := filepath.Join(h.v1[controller], filepath.Base(dir))
		if h.v1[controller] != "" && exists(other) {
			g.others = append(g.others, other)
		}
	}
	return g
}
