package handshake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxAddress is what fits a unix socket's address.
	maxAddress = 107
	// maxDir leaves room in it for the name that the component chooses.
	maxDir = 85
)

// checkDir reports why dir cannot hold a component's socket.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("socket folder %q must be an absolute path", dir)
	}
	if len(dir) > maxDir {
		return fmt.Errorf("socket folder %q has %d bytes, at most %d fit a socket's address: choose a shorter runtime folder", dir, len(dir), maxDir)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("cannot use socket folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("socket folder %q is no folder", dir)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return fmt.Errorf("socket folder %q is open to others (mode %04o): it must be 0700", dir, info.Mode().Perm())
	}
	return nil
}

// checkAddress accepts only a socket that lies directly in dir: what a
// component says must not make the peer dial anything else.
func checkAddress(dir, address string) error {
	if len(address) > maxAddress || strings.ContainsRune(address, 0) || !filepath.IsAbs(address) || filepath.Clean(address) != address {
		return fmt.Errorf("the component offers the address %s: want the plain path of a socket in %q, at most %d bytes", show(address), dir, maxAddress)
	}
	if !samePlace(filepath.Dir(address), dir) {
		return fmt.Errorf("the component offers the socket %s, which is not in its own folder %q", show(address), dir)
	}
	info, err := os.Lstat(address)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the component offers the socket %s, which does not exist", show(address))
	}
	if err != nil {
		return fmt.Errorf("cannot look at the component's socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("the component offers %s as its socket, which is a %s", show(address), kind(info.Mode()))
	}
	return nil
}

// samePlace compares two folders as the file system knows them, since the
// runtime folder itself may be reached through a symbolic link.
func samePlace(a, b string) bool {
	if a == b {
		return true
	}
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m.IsDir():
		return "folder"
	default:
		return "file"
	}
}

// dial connects to a checked address and refuses a listener that is not part
// of the component: the folder and the owner of the socket both have to agree.
func dial(ctx context.Context, address string, belongs func(pid int) bool) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the component: %w", err)
	}
	pid, err := peerPid(c.(*net.UnixConn))
	switch {
	case err != nil:
		err = fmt.Errorf("cannot tell who listens on the component's socket: %w", err)
	case !belongs(pid):
		err = fmt.Errorf("process %d listens on the component's socket %s but is not part of the component", pid, show(address))
	default:
		return c, nil
	}
	_ = c.Close()
	return nil, err
}
