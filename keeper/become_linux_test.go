package keeper_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/keeper"
	"github.com/seed-04209a44/peerd/process"
)

// self is the command line of this program as a keeper.
var self = []string{"/proc/self/exe", "keeper"}

// The keeper becomes another program again and again: its processes, their
// lines and their exits do not notice, and neither does its user.
func TestTheKeeperBecomesAnotherProgram(t *testing.T) {
	const processes, times = 50, 20
	u := newUser(t)
	var trouble sync.Map
	u.trouble = func(err error) { trouble.Store(err, true) }
	u.reconnect()
	pid := u.client.Pid()
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	captures, procs := make([]*keeper.Capture, processes), make([]*keeper.Process, processes)
	for i := range processes {
		key := fmt.Sprint("p", i)
		captures[i], procs[i] = u.sh(key, fmt.Sprintf("exec %s numbers %d", me, i), u.output(key))
	}
	for n := range times {
		key := fmt.Sprint("short", n) // ends while the keeper changes
		c, p := u.sh(key, fmt.Sprintf("echo begun; sleep 0.0%d; echo over; exit %d", n%10, n), u.output(key))
		become(t, u)
		if now := u.client.Pid(); now != pid {
			t.Fatalf("the keeper is %d, was %d", now, pid)
		}
		if x := u.end(c, p); x.Code != n || u.logged(key) != "begun\nover\n" {
			t.Errorf("%s: exit %+v, captured %q", key, x, u.logged(key))
		}
	}
	if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range processes {
		id := procs[i].Identity()
		if x := u.end(captures[i], procs[i]); x.Code != i || procs[i].Identity() != id {
			t.Errorf("p%d: exit %+v, want %d", i, x, i)
		}
		checkNumbers(t, u.logged(fmt.Sprint("p", i)))
	}
	trouble.Range(func(err, _ any) bool { t.Errorf("the user saw: %v", err); return true })
}

// checkNumbers fails unless every line has its number.
func checkNumbers(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if line != strconv.Itoa(i) {
			t.Errorf("line %d of %d is %q", i, len(lines), line)
			return
		}
	}
}

// What is waited for is found though its line is cut by the change.
func TestWhatIsWaitedForIsFoundAfterwards(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.Match, o.Handshake = "^listening on [0-9]+$", true
	c, p := u.sh("a", "printf 'listen'; printf '1|1|un' >&2; while [ ! -e go ]; do sleep 0.01; done; echo ing on 80; exec sleep 600", o)
	u.waitFor("the line has begun", func() bool {
		b, _ := os.ReadFile(filepath.Join(o.Logs, "err.log"))
		return string(b) == "1|1|un"
	})
	become(t, u)
	if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if line, err := c.FirstLine(t.Context()); err != nil || line != "listening on 80" {
		t.Errorf("first line %q, %v", line, err)
	}
	u.waitFor("it matched", func() bool {
		select {
		case <-c.Matched():
			return true
		default:
			return false
		}
	})
	_ = p.Signal(syscall.SIGTERM)
	u.end(c, p)
}

func become(t *testing.T, u *user) {
	t.Helper()
	if _, err := u.client.Become(t.Context(), self); err != nil {
		t.Fatal(err)
	}
}

// What is prepared but not spawned, and what is drained but not forgotten, goes
// over as well.
func TestEveryStageGoesOver(t *testing.T) {
	u := newUser(t)
	o := u.output("a")
	o.ReadyFD = 3
	if err := syscall.Mkfifo(filepath.Join(o.Folder, "ready"), 0o600); err != nil {
		t.Fatal(err)
	}
	ready, err := os.OpenFile(filepath.Join(o.Folder, "ready"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	prepared, err := u.client.Capture(t.Context(), "a", o)
	if err != nil {
		t.Fatal(err)
	}
	drained, ended := u.sh("b", "echo b; exit 5", u.output("b"))
	<-ended.Exited()
	if err := drained.Drain(); err != nil {
		t.Error(err)
	}
	become(t, u)
	if entries, err := u.client.Entries(t.Context()); err != nil || len(entries) != 2 {
		t.Errorf("held: %v, %v", entries, err)
	}
	if n, err := drained.Dropped(t.Context()); n != 0 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	if x := u.end(drained, ended); x.Code != 5 {
		t.Errorf("exit %+v, want 5", x)
	}
	p, err := prepared.Spawn(t.Context(), process.Spec{Path: "/bin/sh", Args: []string{"sh", "-c", "echo >&3; echo a; exit 6"}})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := ready.Read(b); err != nil || b[0] != '\n' {
		t.Errorf("read %q, %v", b, err)
	}
	if x := u.end(prepared, p); x.Code != 6 || u.logged("a") != "a\n" {
		t.Errorf("exit %+v, captured %q", x, u.logged("a"))
	}
}

// The signals that come from a terminal do not end it at any moment of the
// change, and what it spawns afterwards has none blocked or ignored.
func TestSignalsDoNotEndTheChange(t *testing.T) {
	u := newUser(t)
	c, p := u.sh("a", "exec sleep 600", u.output("a"))
	pid := u.client.Pid()
	stop := make(chan struct{})
	var storm sync.WaitGroup
	storm.Go(func() {
		for tick := time.NewTicker(100 * time.Microsecond); ; <-tick.C {
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
				_ = syscall.Kill(pid, sig)
			}
			select {
			case <-stop:
				tick.Stop()
				return
			default:
			}
		}
	})
	for range 10 {
		become(t, u)
	}
	close(stop)
	storm.Wait()
	_ = syscall.Kill(pid, syscall.SIGTERM)
	c2, p2 := u.sh("b", "grep -E '^Sig(Blk|Ign)' /proc/self/status", u.output("b"))
	u.end(c2, p2)
	if got := u.logged("b"); got != "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n" {
		t.Errorf("a process begins with %q", got)
	}
	if now := u.client.Pid(); now != pid {
		t.Errorf("the keeper is %d, was %d", now, pid)
	}
	_ = p.Signal(syscall.SIGTERM)
	if x := u.end(c, p); x.Signal != "SIGTERM" {
		t.Errorf("exit %+v", x)
	}
}

// What it cannot become it does not become, and says why; nothing else changes.
func TestItStaysWhatItIs(t *testing.T) {
	u := newUser(t)
	c, p := u.sh("a", "while [ ! -e go ]; do sleep 0.01; done; echo over; exit 37", u.output("a"))
	pid, was := u.client.Pid(), u.client.Speaks()
	speaks := `echo '{"version":"other","protocol":{"oldest":1,"newest":1},"state":{"oldest":%d,"newest":%d}}'`
	for what, program := range map[string]struct{ text, why string }{
		"missing":    {"", "no such file"},
		"no keeper":  {"echo hello", "does not say what it speaks"},
		"fails":      {"exit 3", "exit status 3"},
		"newer":      {fmt.Sprintf(speaks, 99, 100), "state"},
		"older":      {fmt.Sprintf(speaks, 0, 0), "state"},
		"disappears": {fmt.Sprintf(speaks, 0, 100) + "; rm $0", "cannot become"},
	} {
		path := filepath.Join(u.dir, strings.ReplaceAll(what, " ", "-"))
		if program.text != "" {
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+program.text+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := u.client.Become(t.Context(), []string{path}); err == nil || !strings.Contains(err.Error(), program.why) {
			t.Errorf("%s: got %v, want %q", what, err, program.why)
		}
		if now := u.client.Pid(); now != pid || u.client.Speaks() != was || !p.Identity().Alive() {
			t.Errorf("%s: the keeper is %d, was %d", what, now, pid)
		}
	}
	if _, err := u.client.Become(t.Context(), []string{"keeper"}); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("a relative path: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(u.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if x := u.end(c, p); x.Code != 37 || u.logged("a") != "over\n" {
		t.Errorf("exit %+v, captured %q", x, u.logged("a"))
	}
}
