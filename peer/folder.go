package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// errFolderTaken says that another peer lives in a runtime folder.
var errFolderTaken = errors.New("another peer uses this runtime folder")

// claimFolder makes dir, which only the peer's user may enter, and takes it for
// this peer alone until the file is closed: two peers would remove each other's
// sockets. The operating system ends the claim with the process.
func claimFolder(dir string) (*os.File, error) {
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

// runFolder makes the folder dir/i for the private folders of generations, where
// it is missing, and returns its path.
func runFolder(dir string) (string, error) {
	run := filepath.Join(dir, "i")
	if err := os.Mkdir(run, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return run, nil
}
