package process

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// withShim asks for something only the shim can do.
func withShim(s Spec) Spec {
	s.Limits.NoFile = 256
	return s
}

func TestStartErrorsAreTellable(t *testing.T) {
	d := newDoor(t)
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busy := file("busy", "", 0o755)
	copyFile(t, "/bin/true", busy)
	writer, err := os.OpenFile(busy, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	cases := []struct {
		name, path, dir string
		want            syscall.Errno
		says            string
	}{
		{"missing", filepath.Join(dir, "none"), "", syscall.ENOENT, "none"},
		{"folder missing", "/bin/true", filepath.Join(dir, "none"), syscall.ENOENT, "working directory"},
		{"interpreter missing", file("script", "#!/no/such/interpreter\n", 0o755), "", syscall.ENOENT, "interpreter"},
		{"not executable", file("plain", "x", 0o644), "", syscall.EACCES, "plain"},
		{"no program", file("garbage", "\x01\x02", 0o755), "", syscall.ENOEXEC, "garbage"},
		{"being written", busy, "", syscall.ETXTBSY, "busy"},
	}
	for _, c := range cases {
		for how, change := range map[string]func(Spec) Spec{"plain": func(s Spec) Spec { return s }, "shim": withShim} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				p, err := d.Start(change(Spec{Path: c.path, Args: []string{"x"}, Dir: c.dir, Name: "test"}))
				if err == nil {
					<-p.Exited()
					p.Release()
				}
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want %v naming %q", err, c.want, c.says)
				}
			})
		}
	}
	if left := children(); slices.ContainsFunc(left, d.knows) {
		t.Errorf("left running: %v", left)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Without fds nothing starts, and what runs can still be killed.
func TestNoFilesLeft(t *testing.T) {
	eachContainment(t, func(t *testing.T, d *Door) {
		p := start(t, d, shell("setsid sleep 1000 & sleep 1000"))
		var member Member
		eventually(t, "the member in its own session", func() bool {
			for _, member = range p.Members() {
				if s, _ := readStat(member.Pid); s.pid != p.Identity().Pid && s.session == s.pid {
					return true
				}
			}
			return false
		})
		pidfd, err := unix.PidfdOpen(member.Pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pidfd)
		var taken []int
		var before unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
		low := before
		low.Cur = 128
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		free := func() {
			for _, fd := range taken {
				unix.Close(fd)
			}
			taken = nil
			_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
		}
		defer free()
		for {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				break
			}
			taken = append(taken, fd)
		}
		if _, err := d.Start(shell("exit 0")); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("started without fds: %v", err)
		}
		ended := make(chan []Member, 1)
		go func() { ended <- p.Kill(t.Context()) }()
		await(t, "exit of the leader", p.Exited())
		eventually(t, "death of the member", func() bool { return readable(pidfd) })
		free()
		if left := <-ended; left != nil {
			t.Errorf("left: %v", left)
		}
	})
}

// EAGAIN: the user may have no more processes.
func TestNoProcessesLeft(t *testing.T) {
	needRoot(t)
	d := newDoor(t)
	s := helper("nofork")
	s.Path, s.User = reachable(t, s.Path), "54321" // somebody with no process
	if exit, out := run(t, d, s); exit.Code != 0 || !strings.HasPrefix(out, "true ") {
		t.Errorf("ended as %+v and said %q", exit, out)
	}
}

// As the first process of a container: every orphan is reaped, and the exits
// of its own children stay exact.
func TestAsPid1(t *testing.T) {
	needRoot(t)
	s := helper("pid1")
	s.Args = append([]string{"unshare", "--pid", "--fork", "--mount-proc"}, s.Path)
	s.Path = "/usr/bin/unshare"
	if !exists(s.Path) {
		t.Skip("no unshare")
	}
	s.Env = append(s.Env, "PATH=/usr/bin:/bin")
	exit, out := run(t, newDoor(t), s)
	if want := "pid 1\nexit 7\nno zombies\n"; exit.Code != 0 || out != want {
		t.Errorf("ended as %+v and said %q, want %q", exit, out, want)
	}
}

func TestEnvironmentIsExact(t *testing.T) {
	d := newDoor(t)
	if d.held == session {
		t.Skip("the tree is marked by a variable")
	}
	for how, change := range map[string]func(Spec) Spec{"plain": func(s Spec) Spec { return s }, "shim": withShim} {
		t.Run(how, func(t *testing.T) {
			s := change(Spec{
				Path: "/usr/bin/env", Args: []string{"env", "-0"}, Name: "test",
				Env: []string{"A=1", "EMPTY=", "SPACE=a b\nc", "NAME=Ünïcode", "BYTES=\xff\xfe"},
			})
			_, out := run(t, d, s)
			if got := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"); !slices.Equal(got, s.Env) {
				t.Errorf("environment is %q, want %q", got, s.Env)
			}
			s.Env = nil
			if _, out := run(t, d, s); out != "" {
				t.Errorf("environment is %q, want none", out)
			}
		})
	}
}

func TestOnlyGivenFilesAreOpen(t *testing.T) {
	leak, err := unix.Open("/dev/zero", unix.O_RDONLY, 0) // inherited by us, and not close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	d := newDoor(t)
	extra, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	for how, change := range map[string]func(Spec) Spec{"plain": func(s Spec) Spec { return s }, "shim": withShim} {
		t.Run(how, func(t *testing.T) {
			s := change(shell("cat; ls /proc/$$/fd; :"))
			if _, out := run(t, d, s); out != "0\n1\n2\n" {
				t.Errorf("open are %q, want 0 1 2", out)
			}
			s.Extra = []*os.File{extra}
			if _, out := run(t, d, s); out != "0\n1\n2\n3\n" {
				t.Errorf("open are %q, want 0 1 2 3", out)
			}
		})
	}
}
