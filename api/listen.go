package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxSocketPath is the kernel's bound on the name of a unix socket.
const maxSocketPath = 107

// ListenUnix listens on a unix socket that only the peer's own user can reach:
// mode 0600 from its birth, in a folder made 0700 when it was missing. A socket
// file whose peer is dead is replaced; one that answers is an error.
//
// It changes the process's umask for a moment: call it before anything else in
// the process makes files.
func ListenUnix(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("cannot listen on %s: the name has %d bytes, a unix socket's at most %d: choose a shorter peer.socket", path, len(path), maxSocketPath)
	}
	if err := privateFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return l, nil
}

// privateFolder makes dir, 0700, or accepts one in which nobody else can
// replace the socket.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && int(owner) != os.Geteuid() { //nolint:forcetypeassert // so on every Unix
		return fmt.Errorf("%s belongs to uid %d, who could replace the socket: choose another peer.runtimeDir or peer.socket", dir, owner)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("others may write in %s (%v): chmod go-w it, or choose another peer.socket", dir, info.Mode().Perm())
	}
	return nil
}

// removeStale removes the socket file of a peer that is gone.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("something that is no socket has that name: remove it, or choose another peer.socket")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return errors.New("a peer answers there already")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// ListenLoopback listens on TCP, on loopback addresses only.
func ListenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("cannot listen on %q: only loopback addresses, as 127.0.0.1:8061, are allowed without TLS and authentication", address)
	}
	return net.Listen("tcp", address)
}
