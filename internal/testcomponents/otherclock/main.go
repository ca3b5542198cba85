//go:build linux && amd64

// Command otherclock runs programs under a wall clock that tests can set, with
// nobody else on the host noticing. It is for tests only.
//
//	otherclock trace SOCKET            is the clock, until it is killed
//	otherclock run SOCKET PROGRAM …    becomes PROGRAM, under that clock
//	otherclock set SOCKET -1h          sets it, compared with the true one
//
// A program under it has no vDSO (its entry in the auxiliary vector is hidden
// when it is executed), so that it asks the kernel for the time; a seccomp
// filter stops it there, and the tracer answers in the kernel's place. All that
// the program starts is under the clock too. The monotonic clock is the true
// one, as it is where a real clock is set.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// run keeps to the thread that the process began with: it is that which execs.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: otherclock trace|run|set SOCKET …"))
	}
	socket := os.Args[2]
	var err error
	switch os.Args[1] {
	case "trace":
		err = serve(socket)
	case "run":
		err = run(socket, os.Args[3:])
	case "set":
		err = ask(socket, "set "+os.Args[3])
	}
	fail(err)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "otherclock:", err)
		os.Exit(1)
	}
}

// ask sends one line to the tracer and waits for its word.
func ask(socket, line string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "ok\n" {
		err = fmt.Errorf("the tracer says %s", strings.TrimSpace(answer))
	}
	return err
}

// run has itself traced and becomes the program.
func run(socket string, argv []string) error {
	// Where only ancestors may trace, anybody may now.
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	if err := ask(socket, "trace"); err != nil {
		return err
	}
	if err := filterClock(); err != nil {
		return fmt.Errorf("cannot filter system calls: %w", err)
	}
	return unix.Exec(argv[0], argv, os.Environ())
}

// serve is the tracer: each program has a thread of its own.
func serve(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go hear(conn.(*net.UnixConn))
	}
}

func hear(conn *net.UnixConn) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	answer := func(err error) {
		if err != nil {
			fmt.Fprintln(conn, err)
			return
		}
		fmt.Fprintln(conn, "ok")
	}
	switch word {
	case "set":
		by, err := time.ParseDuration(rest)
		offset.Store(int64(by))
		answer(err)
	case "trace":
		pid, err := peerOf(conn)
		if err != nil {
			answer(err)
			return
		}
		trace(pid, answer)
	}
}

// peerOf is the process at the other end.
func peerOf(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	ctl := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if ctl != nil || err != nil {
		return 0, fmt.Errorf("%v %w", ctl, err)
	}
	return int(cred.Pid), nil
}
