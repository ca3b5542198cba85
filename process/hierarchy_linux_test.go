package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMountDir(t *testing.T) {
	const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
	const bound = "40 30 0:30 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"
	for _, c := range []struct{ line, path, want string }{
		{v2, "/", "/sys/fs/cgroup"},
		{v2, "/system.slice/peerd.service", "/sys/fs/cgroup/system.slice/peerd.service"},
		{bound, "/docker/1", "/sys/fs/cgroup/memory"},
		{bound, "/docker/1/a", "/sys/fs/cgroup/memory/a"},
		{bound, "/docker/2", ""}, // out of sight
		{v2, "", ""},
	} {
		m, ok := parseMount(c.line)
		if got := m.dir(c.path); !ok || got != c.want {
			t.Errorf("%s is seen at %q, want %q (%v)", c.path, got, c.want, ok)
		}
	}
	if _, ok := parseMount("30 23 0:26 / /sys"); ok {
		t.Error("half a line is taken for a mount")
	}
}

// A process spawned into an instance's cgroup makes its own beside, not below.
func TestPrepareGoesUpToTheSharedFolder(t *testing.T) {
	dir := t.TempDir()
	shared := filepath.Join(dir, folder)
	if got := prepare(dir); got != shared {
		t.Errorf("prepared %q, want %q", got, shared)
	}
	inside := filepath.Join(shared, "keeper-1")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := prepare(inside); got != shared {
		t.Errorf("prepared %q, want %q", got, shared)
	}
	if got := prepare(filepath.Join(dir, "none", "at", "all")); got != "" {
		t.Errorf("prepared %q where it cannot", got)
	}
}

// A peer alone in a cgroup moves aside, so that its controllers can be handed
// down to the instances.
func TestDelegateVacatesItsCgroup(t *testing.T) {
	needRoot(t)
	d := newDoor(t)
	base := d.hierarchies.unified
	if base == "" || !listed(filepath.Join(filepath.Dir(base), "cgroup.controllers"))["hugetlb"] {
		t.Skip("no cgroup v2 with the hugetlb controller")
	}
	for _, dir := range []string{filepath.Dir(base), base} {
		if handedDown(dir)["hugetlb"] {
			continue
		}
		control := filepath.Join(dir, "cgroup.subtree_control")
		if err := writeFile(control, "+hugetlb"); err != nil {
			t.Skip(err)
		}
		defer func() { _ = writeFile(control, "-hugetlb") }()
	}
	dir := filepath.Join(base, "service-"+strings.ReplaceAll(newToken(""), ":", ""))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = removeCgroup(dir) }()
	s := helper("delegate " + dir)
	s.Args = []string{"sh", "-c", "echo $$ > " + dir + "/cgroup.procs && exec " + s.Path}
	s.Path = "/bin/sh"
	if exit, out := run(t, d, s); exit.Code != 0 || out != "map[hugetlb:true]\n" {
		t.Errorf("ended as %+v and said %q", exit, out)
	}
}

func TestSweepRemovesWhatDeadPeersLeft(t *testing.T) {
	dir := t.TempDir() // an ordinary folder: an empty one can be removed, too
	h := hierarchies{unified: dir}
	for _, name := range []string{"empty", "full/file"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "full", "file", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.sweep(time.Now())
	if !exists(filepath.Join(dir, "empty")) {
		t.Error("a fresh cgroup was swept away")
	}
	h.sweep(time.Now().Add(2 * staleAge))
	if exists(filepath.Join(dir, "empty")) || !exists(filepath.Join(dir, "full", "file")) {
		t.Error("sweep left the stale or took the full")
	}
}
