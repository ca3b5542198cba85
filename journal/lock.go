package journal

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How long a second opener waits: a killed peer's lock goes with its last
// thread, a moment after its pid is reported gone.
const (
	lockPatience = 500 * time.Millisecond
	lockRetry    = 10 * time.Millisecond
)

// acquire takes the folder's lock. The lock is a file of its own, so that it
// holds while the database is created, verified or reopened; the operating
// system drops it with the process, however that ends.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal's lock: %w", err)
	}
	if err := flock(f, path); err != nil {
		_ = f.Close()
		return nil, err
	}
	// The pid is for the refused one's message only, so failing is no fault.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// inherit takes over a lock that this process has already; one of another
// folder is given up.
func inherit(lock *os.File, path string) (*os.File, error) {
	if lock == nil {
		return acquire(path)
	}
	mine, err := lock.Stat()
	if err == nil {
		if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
			return lock, nil
		}
	}
	_ = lock.Close()
	return acquire(path)
}

// flock tries until it has the lock or patience ends.
func flock(f *os.File, path string) error {
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	deadline := time.NewTimer(lockPatience)
	defer deadline.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("cannot lock %s: %w", path, err)
		}
		select {
		case <-retry.C:
		case <-deadline.C:
			return lockedBy(f, path)
		}
	}
}

func lockedBy(f *os.File, path string) error {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return fmt.Errorf("%w: process %s holds %s; stop it, or use another state folder", ErrLocked, pid, path)
	}
	return fmt.Errorf("%w: %s is held; use another state folder", ErrLocked, path)
}
