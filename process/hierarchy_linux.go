package process

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

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
				h.v2 = delegate(dir, limitControllers)
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

// delegate hands controllers down to the instances in dir, as far as the host
// lets it, and says which they have. A cgroup other than the root that holds
// processes cannot hand down any; one that holds only this process is vacated.
func delegate(dir string, controllers []string) map[string]bool {
	above := filepath.Dir(dir)
	available := listed(filepath.Join(above, "cgroup.controllers"))
	controllers = slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return !available[c] })
	handDown(above, controllers)
	if len(handedDown(above)) < len(controllers) && vacate(above, dir) {
		handDown(above, controllers)
	}
	handDown(dir, controllers)
	return handedDown(dir)
}

func handDown(dir string, controllers []string) {
	for _, controller := range controllers {
		_ = writeFile(filepath.Join(dir, "cgroup.subtree_control"), "+"+controller)
	}
}

func handedDown(dir string) map[string]bool {
	return listed(filepath.Join(dir, "cgroup.subtree_control"))
}

// listed is the set of words in a kernel file.
func listed(path string) map[string]bool {
	words := map[string]bool{}
	text, _ := os.ReadFile(path)
	for word := range strings.FieldsSeq(string(text)) {
		words[word] = true
	}
	return words
}

// vacate moves this process out of its cgroup into a leaf beside the instances,
// if it is alone there.
func vacate(from, dir string) bool {
	procs, self := listed(filepath.Join(from, "cgroup.procs")), strconv.Itoa(os.Getpid())
	if len(procs) != 1 || !procs[self] {
		return false
	}
	leaf := filepath.Join(dir, "self-"+self)
	if err := os.Mkdir(leaf, 0o755); err != nil && !os.IsExist(err) {
		return false
	}
	return writeFile(filepath.Join(leaf, "cgroup.procs"), self) == nil
}

// staleAge is how old an empty instance cgroup is before it counts as left
// behind by a peer that died: a living one fills it at once.
const staleAge = time.Minute

// sweep removes what dead peers left behind. A cgroup that still holds
// processes cannot be removed, and keeps.
func (h hierarchies) sweep(now time.Time) {
	dirs := []string{h.unified}
	for _, dir := range h.v1 {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			info, err := entry.Info()
			if err == nil && entry.IsDir() && now.Sub(info.ModTime()) > staleAge {
				_ = removeCgroup(filepath.Join(dir, entry.Name()))
			}
		}
	}
}
