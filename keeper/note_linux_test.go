package keeper_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/keeper"
)

// greeting is the first line of a component; the keeper takes it for its user.
const greeting = "1|1|unix|/x|grpc|"

// hello has a shell held under key "a" that greets and says more, once there is
// a file "go", and makes a file "said" then. Its user is gone; attach is the next one, who
// knows the first line or "".
func (u *user) hello() (attach func(known string) *keeper.Capture) {
	u.t.Helper()
	o := u.output("a")
	o.Handshake, o.Match = true, "^more$"
	_, p := u.sh("a", "while [ ! -e go ]; do sleep 0.01; done; echo '"+greeting+"'; echo more; : >said; exec sleep 600", o)
	id := p.Identity()
	p.Release()
	_ = u.client.Close()
	return func(known string) *keeper.Capture {
		u.t.Helper()
		u.connect()
		o.First = known
		c, p, err := u.client.Attach(u.t.Context(), "a", o, id)
		if err != nil {
			u.t.Fatal(err)
		}
		u.t.Cleanup(func() {
			_ = p.Signal(syscall.SIGTERM)
			u.end(c, p)
		})
		return c
	}
}

// killLone kills a keeper that has no user.
func (u *user) killLone(pid int) {
	u.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		u.t.Fatal(err)
	}
	u.waitFor("it is reaped", func() bool { return syscall.Kill(pid, 0) != nil })
}

func (u *user) touch(name string) {
	u.t.Helper()
	if err := os.WriteFile(filepath.Join(u.dir, name), nil, 0o600); err != nil {
		u.t.Fatal(err)
	}
}

// A keeper is killed that has taken the first line out of the pipe, and seen
// another one match, and told nobody.
func TestTheLinesOutliveTheKeeperThatTookThem(t *testing.T) {
	u := newUser(t)
	pid := u.client.Pid()
	attach := u.hello()
	u.touch("go")
	u.waitFor("the second line", func() bool { return u.logged("a") == "more\n" })
	u.waitFor("it has matched", func() bool { _, err := os.Stat(filepath.Join(u.dir, "a", "matched")); return err == nil })
	u.killLone(pid)
	c := attach("")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if line, err := c.FirstLine(ctx); err != nil || line != greeting {
		t.Errorf("first line %q, %v", line, err)
	}
	select {
	case <-c.Matched():
	case <-ctx.Done():
		t.Error("no match")
	}
}

// A keeper is killed that has told the first line, and not taken it out of the
// pipe: the next one does not take it for output.
func TestAFirstLineThatIsKnownIsNoOutput(t *testing.T) {
	u := newUser(t)
	pid := u.client.Pid()
	attach := u.hello()
	u.killLone(pid)
	u.touch("go")
	u.waitFor("it is said", func() bool { _, err := os.Stat(filepath.Join(u.dir, "said")); return err == nil })
	attach(greeting)
	u.waitFor("the second line", func() bool { return strings.HasSuffix(u.logged("a"), "more\n") })
	if got := u.logged("a"); got != "more\n" {
		t.Errorf("captured %q", got)
	}
}
