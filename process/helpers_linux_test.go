package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// helpers are what the test binary does when it is spawned as a child.
var helpers = map[string]func(string){
	"report": report,
	"eat":    eat,
	"escape": func(file string) { spawnHelper("fork2 "+file, true); time.Sleep(time.Hour) },
	"fork2":  func(file string) { spawnHelper("stay "+file, true) },
	"stay": func(file string) {
		_ = os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o600)
		time.Sleep(time.Hour)
	},
	"keeper": keeper,
	"delegate": func(dir string) {
		fmt.Println(delegate(prepare(dir), []string{"hugetlb"}))
	},
	"nofork": nofork,
	"nested": nested,
	"pid1":   pid1,
	"mourn":  mourn,
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// spawnHelper forks a child in its own session, without waiting for it.
func spawnHelper(role string, setsid bool) {
	exe, _ := os.Executable()
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "HELPER=") })
	_, err := syscall.ForkExec(exe, []string{"helper"}, &syscall.ProcAttr{
		Env:   append(env, "HELPER="+role),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: setsid},
	})
	if err != nil {
		panic(err)
	}
}

// report prints what this process can see of itself.
func report(string) {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		fmt.Printf("%s=%s\n", name, strings.Join(strings.Fields(value), " "))
	}
	limits, _ := os.ReadFile("/proc/self/limits")
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			fmt.Printf("nofile=%s\n", strings.Join(strings.Fields(rest), " "))
		}
	}
	score, _ := os.ReadFile("/proc/self/oom_score_adj")
	fmt.Printf("oom=%s\n", strings.TrimSpace(string(score)))
	self, _ := os.ReadFile("/proc/self/stat")
	fields := strings.Fields(string(self[strings.LastIndexByte(string(self), ')')+2:]))
	fmt.Printf("nice=%s\nsession=%s\ntty=%s\n", fields[16], fields[3], fields[4])
	dir, _ := os.Getwd()
	fmt.Printf("dir=%s\n", dir)
}

// eat uses memory until it is killed or the megabytes are reached.
func eat(megabytes string) {
	var eaten [][]byte
	for range number(megabytes) {
		piece := make([]byte, 1<<20)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1
		}
		eaten = append(eaten, piece)
	}
	fmt.Println(len(eaten))
}

// keeper starts one child that exits with 37 once told to, tells its identity,
// and stays.
func keeper(dir string) {
	d, err := Open()
	if err != nil {
		panic(err)
	}
	p, err := d.Start(shell("until [ -e " + filepath.Join(dir, "go") + " ]; do sleep 0.01; done; exit 37"))
	if err != nil {
		panic(err)
	}
	writeIdentity(filepath.Join(dir, "identity"), p.Identity())
	time.Sleep(time.Hour)
}

// nested has a door of its own, and starts through it a shell that tells its
// limit (a Go program would raise that before it could look).
func nested(how string) {
	d, err := Open()
	if err != nil {
		panic(err)
	}
	s := shell("ulimit -Sn")
	s.Stdout = os.Stdout
	switch how {
	case "plain":
	case "shim":
		s.Limits.Nice = 1
	default:
		s.Checksum = how
	}
	p, err := d.Start(s)
	if err != nil {
		panic(err)
	}
	<-p.Empty()
}

// nofork starts a process where the user may have no more.
func nofork(string) {
	d, err := open(hierarchies{}, session, nil)
	if err != nil {
		panic(err)
	}
	// The runtime itself cannot make threads under the limit: let it have some
	// to spare first.
	var parked sync.WaitGroup
	meet := make(chan struct{})
	for range 16 {
		parked.Go(func() { runtime.LockOSThread(); <-meet; runtime.UnlockOSThread() })
	}
	time.Sleep(50 * time.Millisecond)
	close(meet)
	parked.Wait()
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 1, Max: 1}); err != nil {
		panic(err)
	}
	_, err = d.Start(shell("exit 0"))
	fmt.Println(errors.Is(err, syscall.EAGAIN), err)
}

// pid1 is the first process of a pid namespace: every orphan there is its own.
func pid1(string) {
	d, err := Open()
	if err != nil {
		panic(err)
	}
	fmt.Println("pid", os.Getpid())
	p, err := d.Start(shell(strings.Repeat("(setsid sh -c 'exit 3' &) ; ", 1000) + "exit 7"))
	if err != nil {
		panic(err)
	}
	<-p.Empty()
	fmt.Println("exit", p.Exit().Code)
	p.Release()
	for len(children()) > 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("no zombies")
	if err := d.Close(); err != nil {
		panic(err)
	}
}
