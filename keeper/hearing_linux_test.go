package keeper_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/notify"
)

// speaker starts a process that says something all the time, and shares its socket
// with the keeper.
func (u *user) speaker(o keeper.Output) (*keeper.Capture, *keeper.Process, *notify.Socket) {
	u.t.Helper()
	me, err := os.Executable()
	if err != nil {
		u.t.Fatal(err)
	}
	s, err := notify.Listen(o.Folder)
	if err != nil {
		u.t.Fatal(err)
	}
	c, p := u.sh("a", fmt.Sprintf("exec %s says %s", me, s.Path()), o)
	f, err := s.Leave()
	if err != nil {
		u.t.Fatal(err)
	}
	defer f.Close()
	if err := c.ShareNotify(u.t.Context(), f); err != nil {
		u.t.Fatal(err)
	}
	return c, p, s
}

// hears waits for something that is said on a socket.
func (u *user) hears(s *notify.Socket) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), patience)
	defer cancel()
	heard := 0
	_ = s.Hear(ctx, func(int) bool { return true }, func([]byte) { heard++; cancel() })
	if heard == 0 {
		u.t.Error("nothing is heard")
	}
}

// What is said while there is no user is kept for the next one, who hears on; over
// the keeper's becoming another program, and over its death.
func TestWhatIsSaidWhileThereIsNoUserIsKept(t *testing.T) {
	for name, before := range map[string]func(u *user){
		"":           func(*user) {},
		"it becomes": func(u *user) { become(t, u) },
		"it dies":    func(u *user) { u.killKeeper() },
		"both":       func(u *user) { become(t, u); u.killKeeper(); become(t, u) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			o := u.output("a")
			_, p, s := u.speaker(o)
			u.hears(s)
			id := p.Identity()
			before(u)
			p.Release()
			_ = s.LetGo()
			_ = u.client.Close()
			if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			u.waitFor("it goes on", func() bool { _, err := os.Stat(filepath.Join(u.dir, "said")); return err == nil })
			for again := range 2 {
				u.connect()
				c, p, err := u.client.Attach(t.Context(), "a", o, id)
				if err != nil {
					t.Fatal(err)
				}
				f, said, err := c.Notify(t.Context())
				if err != nil || f == nil {
					t.Fatalf("%v, %v", f, err)
				}
				if !slices.Contains(said, "READY=1") || again == 0 && !strings.HasPrefix(said[len(said)-1], "STATUS=") {
					t.Errorf("said %q", said)
				}
				if s, err = notify.Inherit(f, o.Folder); err != nil {
					t.Fatal(err)
				}
				u.hears(s)
				if again == 1 {
					_ = p.Signal(syscall.SIGKILL)
					u.end(c, p)
				} else {
					p.Release()
					_ = u.client.Close()
				}
				_ = s.LetGo()
			}
		})
	}
}

// What a user is about to hear is known to the next.
func TestWhatIsNotedIsKnownToTheNext(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	c, p, s := u.speaker(o)
	if err := c.Note(t.Context(), "READY=1"); err != nil {
		t.Fatal(err)
	}
	id := p.Identity()
	p.Release()
	_ = s.LetGo()
	u.reconnect()
	c, p, err := u.client.Attach(t.Context(), "a", o, id)
	if err != nil {
		t.Fatal(err)
	}
	f, said, err := c.Notify(t.Context())
	if err != nil || !slices.Contains(said, "READY=1") {
		t.Errorf("said %q, %v", said, err)
	}
	_ = f.Close()
	_ = p.Signal(syscall.SIGKILL)
	u.end(c, p)
}

// A connection that breaks while both sides live is made anew, and the user hears
// all again: the keeper, who heard meanwhile, takes nothing from it any more.
func TestTheUserHearsAllAfterItsConnectionBroke(t *testing.T) {
	u := newUser(t)
	c, p, s := u.speaker(u.output("a"))
	pid := u.client.Pid()
	ctx, cancel := context.WithCancel(t.Context())
	var unbroken atomic.Int64 // messages since one was missed
	var hearing sync.WaitGroup
	hearing.Go(func() {
		last := -1
		_ = s.Hear(ctx, func(int) bool { return true }, func(text []byte) {
			n, _ := strconv.Atoi(strings.TrimPrefix(string(text), "STATUS="))
			if n != last+1 {
				unbroken.Store(0)
			}
			unbroken.Add(1)
			last = n
		})
	})
	for range 3 {
		u.client.Break()
		if _, err := u.client.Entries(ctx); err != nil { // waits for the next connection
			t.Fatal(err)
		}
		unbroken.Store(0)
		u.waitFor("it hears all", func() bool { return unbroken.Load() > 200 })
	}
	if u.client.Pid() != pid {
		t.Errorf("keeper %d, want the same %d", u.client.Pid(), pid)
	}
	_ = p.Signal(syscall.SIGKILL)
	u.end(c, p)
	cancel()
	hearing.Wait()
	_ = s.LetGo()
}

// killKeeper kills the keeper and waits for the next.
func (u *user) killKeeper() {
	u.t.Helper()
	pid := u.client.Pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		u.t.Fatal(err)
	}
	u.waitFor("another keeper", func() bool { now := u.client.Pid(); return now != 0 && now != pid })
}
