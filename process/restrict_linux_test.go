package process

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// selfReport runs the report helper under s's restrictions.
func selfReport(t *testing.T, d *Door, restrict func(*Spec)) map[string]string {
	t.Helper()
	s := helper("report")
	s.Path = reachable(t, s.Path)
	restrict(&s)
	exit, out := run(t, d, s)
	if exit.Code != 0 {
		t.Fatalf("the helper ended as %+v and said %s", exit, out)
	}
	seen := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		seen[name] = value
	}
	return seen
}

// reachable copies the test binary to where any user can execute it.
func reachable(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "process")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "helper")
	copyFile(t, path, to)
	return to
}

func expect(t *testing.T, seen, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if seen[name] != value {
			t.Errorf("%s is %q, want %q", name, seen[name], value)
		}
	}
}

func TestOwnSessionAndCleanSignals(t *testing.T) {
	d := newDoor(t)
	for how, restrict := range map[string]func(*Spec){"plain": func(*Spec) {}, "shim": func(s *Spec) { *s = withShim(*s) }} {
		t.Run(how, func(t *testing.T) {
			seen := selfReport(t, d, restrict)
			expect(t, seen, map[string]string{
				"session": seen["Pid"], "tty": "0",
				"SigBlk": "0000000000000000", "SigIgn": "0000000000000000",
			})
		})
	}
}

// A peer that ignores or blocks signals does not hand that on.
func TestIgnoredSignalsAreNotInherited(t *testing.T) {
	signal.Ignore(unix.SIGUSR2, unix.SIGHUP)
	defer signal.Reset(unix.SIGUSR2, unix.SIGHUP)
	seen := selfReport(t, newDoor(t), func(*Spec) {})
	expect(t, seen, map[string]string{"SigIgn": "0000000000000000"})
}

// A peer protects itself from the OOM killer, not its children.
func TestOOMProtectionIsNotInherited(t *testing.T) {
	needRoot(t)
	const file = "/proc/self/oom_score_adj"
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFile(file, "-100"); err != nil {
		t.Skip(err)
	}
	defer func() { _ = writeFile(file, strings.TrimSpace(string(before))) }()
	p := start(t, newDoor(t), shell("sleep 1000"))
	got, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.Identity().Pid))
	if err != nil || string(got) != "0\n" {
		t.Errorf("oom_score_adj is %q, %v; want 0", got, err)
	}
}

func TestLimitsOfTheProcess(t *testing.T) {
	d := newDoor(t)
	score := 500
	seen := selfReport(t, d, func(s *Spec) {
		s.Limits = Limits{NoFile: 77, Nice: 7, OOMScoreAdj: &score}
		s.Dir = "/usr"
	})
	expect(t, seen, map[string]string{"nofile": "77 77 files", "nice": "7", "oom": "500", "dir": "/usr"})
}

// The runtime raises its own limit of open files; a child must not get that.
func TestFileLimitIsInheritedUnraised(t *testing.T) {
	for how, role := range map[string]string{
		"plain": "nested plain", "shim": "nested shim", "checksum": "nested " + checksum(t, "/bin/sh"),
	} {
		t.Run(how, func(t *testing.T) {
			s := helper(role)
			s.Args = []string{"sh", "-c", "ulimit -Sn 300; ulimit -Hn 400; exec " + s.Path}
			s.Path = "/bin/sh"
			if exit, out := run(t, newDoor(t), s); out != "300\n" {
				t.Errorf("ended as %+v and said %s", exit, out)
			}
		})
	}
}

func TestCredentialsAreDropped(t *testing.T) {
	needRoot(t)
	before, err := syscall.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{4, 20}); err != nil { // there must be some to drop
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setgroups(before) }()
	d := newDoor(t)
	for how, also := range map[string]func(*Spec){"plain": func(*Spec) {}, "shim": func(s *Spec) { *s = withShim(*s) }} {
		t.Run(how, func(t *testing.T) {
			seen := selfReport(t, d, func(s *Spec) { s.User = "nobody"; also(s) })
			nobody, err := lookup("nobody", "")
			if err != nil {
				t.Fatal(err)
			}
			expect(t, seen, map[string]string{
				"Uid": four(nobody.UID), "Gid": four(nobody.GID), "Groups": "",
				"CapEff": "0000000000000000", "CapPrm": "0000000000000000",
			})
			seen = selfReport(t, d, func(s *Spec) { s.User, s.Group = "1234", "4321"; also(s) })
			expect(t, seen, map[string]string{"Uid": four(1234), "Gid": four(4321), "Groups": ""})
		})
	}
}

func four(id uint32) string { return strings.TrimSpace(strings.Repeat(fmt.Sprint(id, " "), 4)) }

func TestUnknownUserIsUnsupported(t *testing.T) {
	d := newDoor(t)
	s := shell("exit 0")
	s.User = "no such user"
	if why := d.Unsupported(s); len(why) != 1 || !strings.Contains(why[0], "no such user") {
		t.Errorf("unsupported: %q", why)
	}
	if _, err := d.Start(s); err == nil {
		t.Error("started")
	}
}

func TestNoNewPrivileges(t *testing.T) {
	d := newDoor(t)
	expect(t, selfReport(t, d, func(*Spec) {}), map[string]string{"NoNewPrivs": "0"})
	seen := selfReport(t, d, func(s *Spec) { s.Sandbox.NoNewPrivileges = true })
	expect(t, seen, map[string]string{"NoNewPrivs": "1"})
}

func TestCapabilities(t *testing.T) {
	d := newDoor(t)
	none, bind := []string{}, []string{"CAP_NET_BIND_SERVICE"}
	const zero, bindBit = "0000000000000000", "0000000000000400"
	t.Run("none", func(t *testing.T) {
		seen := selfReport(t, d, func(s *Spec) { s.Sandbox.Capabilities = &none })
		expect(t, seen, map[string]string{"CapInh": zero, "CapPrm": zero, "CapEff": zero, "CapAmb": zero})
	})
	t.Run("one kept by another user", func(t *testing.T) {
		needRoot(t)
		seen := selfReport(t, d, func(s *Spec) { s.Sandbox.Capabilities, s.User = &bind, "nobody" })
		expect(t, seen, map[string]string{"CapInh": bindBit, "CapPrm": bindBit, "CapEff": bindBit, "CapAmb": bindBit, "CapBnd": bindBit})
	})
	t.Run("unknown", func(t *testing.T) {
		s := shell("exit 0")
		s.Sandbox.Capabilities = &[]string{"CAP_FLY"}
		if why := d.Unsupported(s); len(why) != 1 || !strings.Contains(why[0], "CAP_FLY") {
			t.Errorf("unsupported: %q", why)
		}
	})
}

func TestLandlock(t *testing.T) {
	d := newDoor(t)
	dir := t.TempDir()
	for _, name := range []string{"read", "write", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "file"), []byte(name+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := shell(`cd ` + dir + `
		read r < read/file && echo "read $r"
		echo new > read/new && echo "wrote where it may only read"
		echo new > write/new && echo "wrote"
		read r < other/file && echo "read the other"
		: > /dev/null && echo "null"`)
	s.Sandbox = Sandbox{ReadOnly: []string{filepath.Join(dir, "read"), "/bin"}, ReadWrite: []string{filepath.Join(dir, "write")}}
	if why := d.Unsupported(s); why != nil {
		if landlockVersion() != 0 {
			t.Errorf("unsupported: %q", why)
		}
		t.Skip(why)
	}
	_, out := run(t, d, s)
	said := func(line string) bool { return strings.Contains("\n"+out, "\n"+line+"\n") }
	if !said("read read") || !said("wrote") || !said("null") || said("wrote where it may only read") || said("read the other") {
		t.Errorf("the sandboxed program said:\n%s", out)
	}
	s.Sandbox.ReadOnly = []string{filepath.Join(dir, "none")}
	if _, err := d.Start(s); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a missing path gave %v", err)
	}
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestChecksum(t *testing.T) {
	d := newDoor(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho I am $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := Spec{Path: script, Args: []string{"script", "it"}, Name: "test", Checksum: checksum(t, script)}
	if exit, out := run(t, d, s); out != "I am it\n" {
		t.Errorf("the script ended as %+v and said %q", exit, out)
	}
	binary := Spec{Path: "/bin/sh", Args: []string{"sh", "-c", "exit 6"}, Name: "test", Checksum: checksum(t, "/bin/sh")}
	if exit, out := run(t, d, binary); exit.Code != 6 {
		t.Errorf("the binary ended as %+v and said %q", exit, out)
	}
	s.Checksum = binary.Checksum
	if _, err := d.Start(s); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("the wrong file was started: %v", err)
	}
	s.Checksum = "md5:1"
	if why := d.Unsupported(s); len(why) != 1 {
		t.Errorf("unsupported: %q", why)
	}
}

func TestMemoryLimit(t *testing.T) {
	d := newDoor(t)
	s := helper("eat 512")
	s.Limits.Memory = 64 << 20
	if why := d.Unsupported(s); why != nil {
		t.Skip(why)
	}
	exit, out := run(t, d, s)
	if exit.Signal != "SIGKILL" {
		t.Errorf("ended as %+v and said %q, want SIGKILL", exit, out)
	}
	s = helper("eat 16")
	s.Limits.Memory = 256 << 20
	if exit, out := run(t, d, s); exit.Code != 0 || out != "16\n" {
		t.Errorf("within its limit it ended as %+v and said %q", exit, out)
	}
}

// A limit that nothing enforces keeps the component from being started.
func TestUnsupportedLimitIsNotStarted(t *testing.T) {
	d := openAs(t, hierarchies{}, session)
	s := shell("exit 0")
	s.Limits = Limits{Memory: 1 << 30, CPU: 0.5, Pids: 10}
	if why := d.Unsupported(s); len(why) != 3 {
		t.Errorf("unsupported: %q", why)
	}
	if _, err := d.Start(s); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("start: %v", err)
	}
}

func TestCPULimit(t *testing.T) {
	d := newDoor(t)
	s := shell("exit 0")
	s.Limits.CPU = 0.25
	if why := d.Unsupported(s); why != nil {
		t.Skip(why)
	}
	g, err := d.hierarchies.create("test-cpu", d.held, s.Limits)
	if err != nil {
		t.Fatal(err)
	}
	defer g.remove()
	file := "/cpu.max"
	want := "25000 100000\n"
	dir := g.unified
	if len(g.others) == 1 {
		file, want, dir = "/cpu.cfs_quota_us", "25000\n", g.others[0]
	}
	if got, err := os.ReadFile(dir + file); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v; want %q", file, got, err, want)
	}
}

// Limits can change while the tree lives, also from none and to none.
func TestLimitsChangeLive(t *testing.T) {
	for held, h := range containments(t) {
		t.Run(string(held), func(t *testing.T) {
			h.v1 = findHierarchies().v1
			d := openAs(t, h, held)
			s := shell("trap 'exit 0' TERM; while :; do sleep 0.05; done")
			s.Name = "relimited"
			if why := d.Unsupported(Spec{Limits: Limits{Pids: 1, Memory: 1 << 30, CPU: 1}}); why != nil {
				t.Skip(why)
			}
			p, err := d.Start(s)
			if err != nil {
				t.Fatal(err)
			}
			read := func(file string) string {
				for _, dir := range []string{p.id.Cgroup, filepath.Join(d.hierarchies.v1["pids"], cgroupName(p.id.Token))} {
					if b, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
						return strings.TrimSpace(string(b))
					}
				}
				return "nowhere"
			}
			for _, c := range []struct {
				limits Limits
				want   string
			}{{Limits{Pids: 7, Memory: 1 << 28}, "7"}, {Limits{Pids: 9, CPU: 0.5}, "9"}, {Limits{}, "max"}} {
				if err := d.SetLimits(p, c.limits); err != nil {
					t.Fatal(err)
				}
				if got := read("pids.max"); got != c.want {
					t.Errorf("%+v: pids.max is %s", c.limits, got)
				}
			}
			if n := read("pids.current"); n == "0" {
				t.Error("nobody is in the cgroup that bounds it")
			}
			if left := p.Kill(t.Context()); left != nil {
				t.Errorf("left: %v", left)
			}
			joined := slices.Clone(p.joined)
			p.Release()
			for _, dir := range joined {
				if exists(dir) {
					t.Errorf("%s stays behind", dir)
				}
			}
		})
	}
}
