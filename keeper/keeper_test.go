package keeper_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
)

// patience bounds the wait for a condition on a busy machine.
const patience = 30 * time.Second

// user is what a peer is to its keeper. It belongs to the test's goroutine.
type user struct {
	t       testing.TB
	dir     string
	door    *process.Door
	client  *keeper.Client
	trouble func(error) // told to the client; may be nil
}

// newUser makes a user with a folder of its own, and a keeper for it.
func newUser(t testing.TB) *user {
	t.Helper()
	dir, err := os.MkdirTemp("", "kp")
	if err != nil {
		t.Fatal(err)
	}
	door, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, dir: dir, door: door}
	u.connect()
	t.Cleanup(func() {
		if err := u.client.Close(); err != nil {
			t.Error(err)
		}
		if err := door.Close(); err != nil {
			t.Error(err)
		}
		if log, _ := os.ReadFile(filepath.Join(dir, "keeper.log")); len(log) > 0 {
			t.Errorf("the keeper says:\n%s", log)
		}
		_ = os.RemoveAll(dir)
	})
	return u
}

func (u *user) connect() {
	u.t.Helper()
	var err error
	u.client, err = keeper.Connect(u.t.Context(), keeper.Settings{Folder: u.dir, Programs: [][]string{{"/proc/self/exe", "keeper"}}, Door: u.door, Trouble: u.trouble})
	if err != nil {
		u.t.Fatal(err)
	}
}

// reconnect is connect after hanging up.
func (u *user) reconnect() {
	u.t.Helper()
	if err := u.client.Close(); err != nil {
		u.t.Fatal(err)
	}
	u.connect()
}

// output is where the output of key goes.
func (u *user) output(key string) keeper.Output {
	u.t.Helper()
	o := keeper.Output{Folder: filepath.Join(u.dir, key), Logs: filepath.Join(u.dir, key, "logs")}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		u.t.Fatal(err)
	}
	return o
}

// sh has a shell run script, held under key.
func (u *user) sh(key, script string, o keeper.Output) (*keeper.Capture, *keeper.Process) {
	u.t.Helper()
	c, err := u.client.Capture(u.t.Context(), key, o)
	if err != nil {
		u.t.Fatal(err)
	}
	p, err := c.Spawn(u.t.Context(), process.Spec{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Dir: u.dir, Name: filepath.Base(u.dir) + "." + key})
	if err != nil {
		u.t.Fatal(err)
	}
	return c, p
}

// end waits for the end of a process and lets go of it.
func (u *user) end(c *keeper.Capture, p *keeper.Process) process.Exit {
	u.t.Helper()
	for _, done := range []<-chan struct{}{p.Exited(), p.Empty()} {
		select {
		case <-done:
		case <-time.After(patience):
			u.t.Fatal("it does not end")
		}
	}
	if err := c.Drain(); err != nil {
		u.t.Error(err)
	}
	x := p.Exit()
	if err := c.Forget(); err != nil {
		u.t.Error(err)
	}
	p.Release()
	return x
}

// waitFor waits until cond holds.
func (u *user) waitFor(what string, cond func() bool) {
	u.t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			u.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (u *user) logged(key string) string {
	b, _ := os.ReadFile(filepath.Join(u.dir, key, "logs", "out.log"))
	return string(b)
}

func TestAProcessIsHeldFromSpawnToExit(t *testing.T) {
	u := newUser(t)
	c, p := u.sh("a", "echo hello; exit 37", u.output("a"))
	if x := u.end(c, p); x.Code != 37 {
		t.Errorf("exit %+v, want 37", x)
	}
	if got := u.logged("a"); got != "hello\n" {
		t.Errorf("captured %q", got)
	}
	if entries, err := u.client.Entries(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("still held: %v, %v", entries, err)
	}
}

func TestItSaysWhyNothingWasSpawned(t *testing.T) {
	u := newUser(t)
	c, err := u.client.Capture(t.Context(), "a", u.output("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Spawn(t.Context(), process.Spec{Path: "/no/such/program"}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("got %v", err)
	}
	if err := c.Forget(); err != nil {
		t.Error(err)
	}
}

func TestTheFirstLineIsToldAndSwallowed(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.Handshake = true
	c, p := u.sh("a", "echo '1|1|unix|/x|grpc|'; echo second; exec sleep 600", o)
	for range 2 {
		if line, err := c.FirstLine(t.Context()); err != nil || line != "1|1|unix|/x|grpc|" {
			t.Errorf("first line %q, %v", line, err)
		}
	}
	u.waitFor("the second line", func() bool { return u.logged("a") == "second\n" })
	_ = p.Signal(syscall.SIGTERM)
	if x := u.end(c, p); x.Signal != "SIGTERM" {
		t.Errorf("exit %+v", x)
	}
}

func TestALineThatMatchesIsTold(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.Match = "^listening on [0-9]+$"
	c, p := u.sh("a", "echo listening; printf 'listening on '; echo 7 >&2; echo 80; exec sleep 600", o)
	select {
	case <-c.Matched():
	case <-time.After(patience):
		t.Error("no match")
	}
	_ = p.Signal(syscall.SIGTERM)
	u.end(c, p)
}

func TestTheReadyFileIsThere(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.ReadyFD = 4
	if err := syscall.Mkfifo(filepath.Join(o.Folder, "ready"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(filepath.Join(o.Folder, "ready"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, p := u.sh("a", "[ ! -e /proc/self/fd/3 ] && echo >&4", o)
	b := make([]byte, 1)
	if _, err := r.Read(b); err != nil || b[0] != '\n' {
		t.Errorf("read %q, %v", b, err)
	}
	u.end(c, p)
}

// The user dies and comes back: the same process, and what it said and did
// meanwhile.
func TestTheKeeperOutlivesItsUser(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.Handshake = true
	_, p := u.sh("a", "echo '1|1|unix|/x|grpc|'; while [ ! -e go ]; do sleep 0.01; done; echo more; exit 37", o)
	id, pid := p.Identity(), u.client.Pid()
	_ = u.client.Close()
	if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	u.waitFor("it ended", func() bool { return !id.Alive() })
	u.connect()
	if u.client.Pid() != pid {
		t.Errorf("keeper %d, want the same %d", u.client.Pid(), pid)
	}
	c, p, err := u.client.Attach(t.Context(), "a", o, id)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := c.FirstLine(t.Context()); err != nil || line != "1|1|unix|/x|grpc|" {
		t.Errorf("first line %q, %v", line, err)
	}
	if x := u.end(c, p); x.Code != 37 || p.Identity() != id {
		t.Errorf("exit %+v of %+v, want 37 of %+v", x, p.Identity(), id)
	}
	if got := u.logged("a"); got != "more\n" {
		t.Errorf("captured %q", got)
	}
}

// The keeper is killed again and again: no line is lost or doubled, and the
// exit is exact.
func TestTheUserOutlivesItsKeepers(t *testing.T) {
	u := newUser(t)
	const lines = 20_000
	c, p := u.sh("a", fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); done; while [ ! -e go ]; do sleep 0.01; done; exit 37", lines), u.output("a"))
	for range 5 {
		pid := u.client.Pid()
		before := len(u.logged("a"))
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		u.waitFor("another keeper", func() bool { now := u.client.Pid(); return now != 0 && now != pid })
		u.waitFor("more lines", func() bool {
			n := len(u.logged("a"))
			return n > before || strings.HasSuffix(u.logged("a"), "\n19999\n")
		})
	}
	if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if x := u.end(c, p); x.Code != 37 {
		t.Errorf("exit %+v, want 37", x)
	}
	var want bytes.Buffer
	for i := range lines {
		fmt.Fprintln(&want, i)
	}
	if got := u.logged("a"); got != want.String() {
		t.Errorf("captured %d bytes, want each line once: %d", len(got), want.Len())
	}
}

// An exit between the death of one keeper and the birth of the next is exact.
func TestAnExitWithoutAKeeperIsSeen(t *testing.T) {
	u := newUser(t)
	for i := range 10 {
		key := fmt.Sprint("a", i)
		c, p := u.sh(key, "exec sleep 600", u.output(key))
		pid := u.client.Pid()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := p.Signal(syscall.SIGUSR1); err != nil {
			t.Error(err)
		}
		if x := u.end(c, p); x.Signal != "SIGUSR1" {
			t.Errorf("exit %+v, want SIGUSR1", x)
		}
	}
}

// A keeper in use does not heed what ends programs; one without use leaves.
func TestTheKeeperLeavesWhenThereIsNothingToKeep(t *testing.T) {
	u := newUser(t)
	_, p := u.sh("a", "exec sleep 600", u.output("a"))
	pid := u.client.Pid()
	_ = u.client.Close()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	u.connect()
	if u.client.Pid() != pid {
		t.Fatalf("keeper %d, want %d", u.client.Pid(), pid)
	}
	c, p, err := u.client.Attach(t.Context(), "a", u.output("a"), p.Identity())
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Signal(syscall.SIGKILL)
	u.end(c, p)
	if err := u.client.Close(); err != nil {
		t.Error(err)
	}
	u.waitFor("the keeper leaves", func() bool { return syscall.Kill(pid, 0) != nil })
	u.connect()
}

// What lives is not forgotten, and a key is held once.
func TestWhatLivesIsNotForgotten(t *testing.T) {
	u := newUser(t)
	c, p := u.sh("a", "exec sleep 600", u.output("a"))
	if err := c.Forget(); err == nil {
		t.Error("a living process was forgotten")
	}
	if _, err := u.client.Capture(t.Context(), "a", u.output("a")); err == nil {
		t.Error("a key was held twice")
	}
	_ = p.Kill(context.Background())
	u.end(c, p)
}

// The same work without a process of its own.
func TestAKeeperInTheSameProcess(t *testing.T) {
	u := newUser(t)
	k := keeper.New(u.door)
	c, err := k.Capture(t.Context(), "a", u.output("a"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Spawn(t.Context(), process.Spec{Path: "/bin/sh", Args: []string{"sh", "-c", "echo hello; exit 37"}})
	if err != nil {
		t.Fatal(err)
	}
	if x := u.end(c, p); x.Code != 37 || u.logged("a") != "hello\n" {
		t.Errorf("exit %+v, captured %q", x, u.logged("a"))
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkSpawn(b *testing.B) {
	u := newUser(b)
	o := u.output("a")
	for i := 0; b.Loop(); i++ {
		c, p := u.sh(fmt.Sprint(i), "exit 0", o)
		u.end(c, p)
	}
}
