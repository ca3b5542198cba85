package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// modeLocal is the mode of a folder that belongs to one node alone. What is in
// it would be destroyed by a start as one node of several.
const modeLocal = "local"

// lock is the claim on a folder.
type lock struct{ file *os.File }

// claim locks a folder, making it if need be, and makes sure that it is of the
// given mode.
func claim(dir, mode string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "mode"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &lock{f}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		l.release()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is in use by another process", dir)
		}
		return nil, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	if err := mark(f, mode); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func mark(f *os.File, mode string) error {
	buf := make([]byte, 64)
	n, _ := f.ReadAt(buf, 0) // an empty file is a new one
	switch found := strings.TrimSpace(string(buf[:n])); found {
	case mode:
		return nil
	case "":
		if _, err := f.WriteAt([]byte(mode+"\n"), 0); err != nil {
			return fmt.Errorf("cannot write %s: %w", f.Name(), err)
		}
		return f.Sync()
	default:
		return fmt.Errorf("%s says that the folder is of mode %q, not %q: it must be migrated before", f.Name(), found, mode)
	}
}

// release gives the folder back.
func (l *lock) release() {
	if l != nil {
		l.file.Close()
	}
}
