//go:build unix

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// files are the child's fds 0, 1, 2 and the extra ones.
func files(s Spec, null *os.File) []uintptr {
	orNull := func(f *os.File) uintptr {
		if f == nil {
			return null.Fd()
		}
		return f.Fd()
	}
	files := []uintptr{null.Fd(), orNull(s.Stdout), orNull(s.Stderr)}
	for _, f := range s.Extra {
		files = append(files, f.Fd())
	}
	return files
}

// explain tells a folder that is missing or closed, and a missing interpreter,
// from what is wrong with the executable; the kernel does not.
func explain(s Spec, err error) error {
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ENOTDIR):
		if at := closedFolder(s); at != "" {
			return fmt.Errorf("working directory %q, at %s: %w", s.Dir, at, err)
		}
		return err
	case !errors.Is(err, syscall.ENOENT):
		return err
	}
	if s.Dir != "" && !exists(s.Dir) {
		return fmt.Errorf("working directory %q: %w", s.Dir, err)
	}
	if exists(filepath.Join(s.Dir, s.Path)) || exists(s.Path) {
		return fmt.Errorf("its interpreter or dynamic linker: %w", err)
	}
	return err
}

// closedFolder finds the first on the way to the working directory that s cannot
// enter; "": it can enter all.
func closedFolder(s Spec) string {
	if s.Dir == "" {
		return ""
	}
	who, err := lookup(s.User, s.Group)
	if err != nil {
		return ""
	}
	dir := filepath.Clean(s.Dir)
	var way []string
	for at := dir; ; at = filepath.Dir(at) {
		way = append(way, at)
		if at == filepath.Dir(at) {
			break
		}
	}
	for _, at := range slices.Backward(way) {
		if !who.mayEnter(at) {
			return at
		}
	}
	return ""
}

// abandon ends a child that cannot be followed.
func abandon(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL)
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			return
		}
	}
}

func unknownExit(reason string) Exit {
	return Exit{Code: -1, Reason: reason, At: time.Now()}
}

func exitOf(status unix.WaitStatus) Exit {
	if status.Signaled() {
		return Exit{Code: -1, Signal: signalName(status.Signal()), At: time.Now()}
	}
	return Exit{Code: status.ExitStatus(), At: time.Now()}
}

func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", int(sig))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
