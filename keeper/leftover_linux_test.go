package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/process"
)

// What a keeper has spawned and died over is followed at once: it may end while
// there is no keeper, and how it ended is known all the same.
func TestALeftoverThatEndsBeforeTheNextKeeper(t *testing.T) {
	door, err := process.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	dir := t.TempDir()
	c, err := Connect(t.Context(), Settings{Folder: dir, Programs: [][]string{{"/proc/self/exe", "keeper"}}, Door: door})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := Output{Folder: filepath.Join(dir, "one"), Logs: dir}
	if err := os.Mkdir(o.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cp, err := c.Capture(t.Context(), "one", o)
	if err != nil {
		t.Fatal(err)
	}

	// The next keeper waits for the lock until the leftover has ended.
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(c.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for syscall.Flock(int(lock.Fd()), syscall.LOCK_EX) != nil {
		continue // interrupted
	}
	name := "left-over-" + filepath.Base(filepath.Dir(dir))
	spawned, err := door.Start(process.Spec{
		Path: "/bin/sh", Args: []string{"sh", "-c", "while [ ! -e go ]; do sleep 0.01; done; exit 37"}, Dir: dir, Name: name,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer spawned.Release()
	pid := spawned.Identity().Pid
	before := followers(t, pid)
	type answer struct {
		p   *Process
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		p, err := remote{c}.leftover(t.Context(), c.word("one"), spawnOrder{Key: "one", Spec: process.Spec{Name: name}})
		answered <- answer{p, err}
	}()
	for deadline := time.Now().Add(30 * time.Second); followers(t, pid) == before && time.Now().Before(deadline); {
		<-time.After(time.Millisecond) // until somebody follows it
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-spawned.Exited()
	_ = lock.Close()
	a := <-answered
	if a.err != nil || a.p == nil {
		t.Fatalf("found %v, %v", a.p, a.err)
	}
	defer a.p.Release()
	<-a.p.Exited()
	if x := a.p.Exit(); x.Code != 37 && !strings.Contains(x.Reason, "Linux 6.15") {
		t.Errorf("%+v", x)
	}
	if err := cp.Drain(); err != nil {
		t.Error(err)
	}
	if err := cp.Forget(); err != nil {
		t.Error(err)
	}
}

// followers counts the pidfds that this program holds of a process.
func followers(t *testing.T, pid int) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, _ := os.ReadFile("/proc/self/fdinfo/" + f.Name())
		if strings.Contains(string(info), fmt.Sprintf("\nPid:\t%d\n", pid)) {
			n++
		}
	}
	return n
}
