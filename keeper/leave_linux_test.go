package keeper_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/process"
)

// leaves waits until the keeper has gone by itself, and its user with it.
func (u *user) leaves(pid int) {
	u.t.Helper()
	u.waitFor("the keeper leaves", func() bool { return syscall.Kill(pid, 0) != nil })
}

// A keeper for which nothing lives and whom nobody asks does not stay; the next
// one knows how all of it ended.
func TestAKeeperLeavesWhatNobodyHasHeard(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.Handshake = true
	_, ends := u.sh("a", "echo '1|1|unix|/x|grpc|'; while [ ! -e go ]; do sleep 0.01; done; echo over; exit 37", o)
	_, dies := u.sh("b", "exec sleep 600", u.output("b"))
	pid, ids := u.client.Pid(), []process.Identity{ends.Identity(), dies.Identity()}
	_ = u.client.Close()
	if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(ids[1].Pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	u.leaves(pid)
	if got := u.logged("a"); got != "over\n" {
		t.Errorf("captured %q", got)
	}
	for range 2 { // what is not acknowledged is there again
		u.connect()
		if u.client.Pid() == pid {
			t.Fatal("the same keeper")
		}
		entries, err := u.client.Entries(t.Context())
		if err != nil || len(entries) != 2 {
			t.Fatalf("held: %+v, %v", entries, err)
		}
		pid = u.client.Pid()
		_ = u.client.Close()
		u.leaves(pid)
	}
	u.connect()
	for i, want := range []process.Exit{{Code: 37}, {Code: -1, Signal: "SIGUSR1"}} {
		key := string(rune('a' + i))
		c, p, err := u.client.Attach(t.Context(), key, u.output(key), ids[i])
		if err != nil {
			t.Fatal(err)
		}
		if x := u.end(c, p); x.Code != want.Code || x.Signal != want.Signal || x.At.IsZero() {
			t.Errorf("%s: exit %+v, want %+v", key, x, want)
		}
	}
	if _, err := os.Stat(filepath.Join(u.dir, "keeper.left")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was acknowledged is still there: %v", err)
	}
}

// A keeper whose folder is gone, or has become somebody else's, has nobody to
// tell: it leaves with the last of its processes, and not before.
func TestAKeeperWithoutAFolderLeaves(t *testing.T) {
	for name, wreck := range map[string]func(dir string) error{
		"removed":  os.RemoveAll,
		"replaced": func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			dir := u.dir
			u.dir = filepath.Join(dir, "inner")
			t.Cleanup(func() { u.dir = dir })
			if err := os.Mkdir(u.dir, 0o700); err != nil {
				t.Fatal(err)
			}
			u.reconnect()
			_, p := u.sh("a", "exec sleep 600", u.output("a"))
			pid := u.client.Pid()
			if err := wreck(u.dir); err != nil {
				t.Fatal(err)
			}
			_ = u.client.Close()
			if !p.Identity().Alive() || syscall.Kill(pid, 0) != nil {
				t.Error("it has left what lives")
			}
			if err := syscall.Kill(p.Identity().Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			u.leaves(pid)
			if _, err := os.Stat(filepath.Join(u.dir, "keeper.left")); err == nil {
				t.Error("it left something to somebody else")
			}
		})
	}
}

// A file that cannot be read hinders no keeper.
func TestAKeeperBeginsWithoutWhatIsDamaged(t *testing.T) {
	u := newUser(t)
	if err := u.client.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(u.dir, "keeper.left")
	for _, text := range []string{"", "{", `{"state":99,"held":[{"entry":{"key":"x"}}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		u.connect()
		c, p := u.sh("a", "exit 3", u.output("a"))
		if x := u.end(c, p); x.Code != 3 {
			t.Errorf("%q: exit %+v", text, x)
		}
		if err := u.client.Close(); err != nil {
			t.Error(err)
		}
		log := filepath.Join(u.dir, "keeper.log")
		if said, err := os.ReadFile(log); err != nil || len(said) == 0 {
			t.Errorf("%q: it says nothing of it: %v", text, err)
		}
		_ = os.Remove(log)
	}
	u.connect()
	_ = os.Remove(filepath.Join(u.dir, "keeper.log"))
}
