package keeper

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	sys "golang.org/x/sys/unix"
)

// become executes a program that goes on with the estate, in this very process.
// It returns only when that is impossible.
func become(argv []string, e *estate) error {
	fd, err := e.write()
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	for _, fd := range e.files() {
		if _, err := sys.FcntlInt(uintptr(fd), sys.F_SETFD, 0); err != nil {
			return fmt.Errorf("cannot keep a file open: %w", err)
		}
	}
	// An ignored signal stays ignored until the next program handles it. (Go's
	// runtime lets SIGTERM through for the few milliseconds of its start: then the
	// keeper dies of it as of any other kill, and its user has another.)
	signal.Ignore(deafTo...)
	line := append(append([]string{}, argv...), wordResume, strconv.Itoa(fd))
	err = syscall.Exec(argv[0], line, os.Environ())
	return fmt.Errorf("cannot execute %s: %w", argv[0], err)
}

// becomeItself is become with the program that runs, under its own name.
func becomeItself(e *estate) error {
	argv := []string{"/proc/self/exe"}
	for _, word := range os.Args[1:] {
		if word == wordResume {
			break
		}
		argv = append(argv, word)
	}
	return become(argv, e)
}

// write puts the estate into a file of the memory, which stays open.
func (e *estate) write() (fd int, err error) {
	fd, err = sys.MemfdCreate("estate", 0)
	if err != nil {
		return -1, fmt.Errorf("cannot write down what the keeper has: %w", err)
	}
	text, err := json.Marshal(e)
	for at := 0; err == nil && at < len(text); {
		var n int
		n, err = sys.Pwrite(fd, text[at:], int64(at))
		at += n
	}
	if err != nil {
		_ = sys.Close(fd)
		return -1, fmt.Errorf("cannot write down what the keeper has: %w", err)
	}
	return fd, nil
}
