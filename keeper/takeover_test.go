package keeper_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
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
