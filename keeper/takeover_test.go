package keeper_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A next keeper cannot take over an output, as its folder is no folder: that is
// told, tried again, and made good when it can, with nothing of it lost.
func TestWhatCannotBeTakenOverAtOnceIsTakenOverLater(t *testing.T) {
	u := newUser(t)
	var trouble atomic.Value
	trouble.Store("")
	u.trouble = func(err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		trouble.Store(text)
	}
	u.reconnect()
	says := func(words string) bool { return strings.Contains(trouble.Load().(string), words) } //nolint:forcetypeassert // only strings are stored
	o := u.output("a")
	c, p := u.sh("a", "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two", o)
	u.waitFor("the first line", func() bool { return u.logged("a") == "one\n" })
	aside := o.Logs + ".aside"
	if err := os.Rename(o.Logs, aside); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Logs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(u.client.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	u.waitFor("the trouble is told", func() bool { return says("the output of a is not stored") })
	if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(o.Logs); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, o.Logs); err != nil {
		t.Fatal(err)
	}
	u.waitFor("the trouble is over", func() bool { return trouble.Load() == "" })
	u.waitFor("the last line", func() bool { return u.logged("a") == "one\ntwo\n" })
	if x := u.end(c, p); x.Code != 0 {
		t.Errorf("it ended with %+v", x)
	}
}

// Keeper and user are both away when a process ends: whoever comes next knows
// how, exactly, as the dead were kept for the subreaper above.
func TestAnExitThatNobodyHasHeardOfOutlivesTheKeeper(t *testing.T) {
	u := newUser(t)
	for i := range 10 {
		key := fmt.Sprint("a", i)
		o := u.output(key)
		_, p := u.sh(key, "while [ ! -e go"+fmt.Sprint(i)+" ]; do sleep 0.01; done; exit 37", o)
		id, pid := p.Identity(), u.client.Pid()
		p.Release()
		_ = u.client.Close()
		if err := os.WriteFile(filepath.Join(u.dir, fmt.Sprint("go", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		u.waitFor("it ended", func() bool { return !id.Alive() })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		u.waitFor("it is reaped", func() bool { return syscall.Kill(id.Pid, 0) != nil })
		u.connect()
		c, p, err := u.client.Attach(t.Context(), key, o, id)
		if err != nil {
			t.Fatal(err)
		}
		if x := u.end(c, p); x.Code != 37 {
			t.Errorf("exit %+v, want 37", x)
		}
		u.waitFor("nothing is held", func() bool { e, err := u.client.Entries(t.Context()); return err == nil && len(e) == 0 })
	}
}

// One that was forgotten is reaped.
func TestWhatIsForgottenIsReaped(t *testing.T) {
	u := newUser(t)
	c, p := u.sh("a", "exit 37", u.output("a"))
	pid := p.Identity().Pid
	select {
	case <-p.Exited():
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("it was reaped before its exit was acknowledged: %v", err)
	}
	u.end(c, p)
	u.waitFor("it is reaped", func() bool { return syscall.Kill(pid, 0) != nil })
}
