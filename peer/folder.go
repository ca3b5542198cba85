package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// errFolderTaken says that another peer lives in a runtime folder.
var errFolderTaken = errors.New("another peer uses this runtime folder")

// claimFolder makes dir, which only the peer's user may enter, and takes it for
// this peer alone until the file is closed: two peers would remove each other's
// sockets. The operating system ends the claim with the process. before is the
// claim of the program that this one was, which may be nil.
func claimFolder(dir string, before *os.File) (*os.File, error) {
	if before != nil {
		if isFolder(before, dir) {
			return before, nil
		}
		_ = before.Close()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w: give this one a peer.runtimeDir of its own", errFolderTaken)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func isFolder(f *os.File, dir string) bool {
	claimed, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(dir)
	return err == nil && os.SameFile(claimed, there)
}

// duplicate opens a file once more, which keeps its claim.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// runFolder makes the folder dir/i for the private folders of generations, where
// it is missing, and returns its path.
func runFolder(dir string) (string, error) {
	run := filepath.Join(dir, "i")
	if err := os.Mkdir(run, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return run, nil
}
