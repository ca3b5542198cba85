package keeper

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"

	sys "golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/process"
)

// estateName names the estate among the files that one program leaves to the
// next.
const estateName = "estate"

// become executes a program that goes on with the estate, in this very process.
// It returns only when that is impossible.
func become(path string, argv []string, e *estate, hears bool) error {
	f, err := e.write()
	if err != nil {
		return fmt.Errorf("cannot write down what the keeper has: %w", err)
	}
	defer f.Close()
	for _, fd := range e.files(hears) {
		if _, err := sys.FcntlInt(uintptr(fd), sys.F_SETFD, 0); err != nil {
			return fmt.Errorf("cannot keep a file open: %w", err)
		}
	}
	// An ignored signal stays ignored until the next program handles it. (Go's
	// runtime lets SIGTERM through for the few milliseconds of its start, and does
	// not keep it blocked either where it was blocked before: then the keeper dies
	// of it as of any other kill, and its user has another.)
	signal.Ignore(deafTo...)
	return process.Become(path, argv, os.Environ(), map[string]*os.File{estateName: f})
}

// write puts the estate into a file of the memory.
func (e *estate) write() (*os.File, error) {
	fd, err := sys.MemfdCreate(estateName, sys.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), estateName)
	if err = json.NewEncoder(f).Encode(e); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
