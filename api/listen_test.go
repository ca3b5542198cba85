package api_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/api"
)

func TestSocketIsPrivate(t *testing.T) {
	old := syscall.Umask(0) // the loosest there is
	defer syscall.Umask(old)
	path := filepath.Join(shortDir(t), "run", "peerd.sock")
	l, err := api.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
	if got := syscall.Umask(0); got != 0 {
		t.Errorf("umask left at %#o", got)
	}
}

func TestListenReplacesOnlyTheDead(t *testing.T) {
	path := filepath.Join(shortDir(t), "peerd.sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	live, err := api.ListenUnix(path)
	if err != nil {
		t.Fatalf("over a dead peer's socket: %v", err)
	}
	defer live.Close()
	if _, err := api.ListenUnix(path); err == nil || !strings.Contains(err.Error(), "a peer answers there already") {
		t.Errorf("over a live peer's socket: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the live peer's socket is gone: %v", err)
	}
}

// The owner of a folder can put a socket of his own in the place of ours.
func TestListenRefusesAnothersFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a folder away needs root")
	}
	dir := filepath.Join(shortDir(t), "theirs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ListenUnix(filepath.Join(dir, "s")); err == nil || !strings.Contains(err.Error(), "belongs to uid 65534") {
		t.Errorf("listens in another's folder: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                               "no socket has that name",
		filepath.Join(open, "s"):           "others may write",
		"/tmp/" + strings.Repeat("x", 120): "at most 107",
		filepath.Join(file, "peerd.sock"):  "not a directory",
	} {
		if _, err := api.ListenUnix(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file was touched: %q %v", b, err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:80", "rubbish"} {
		if _, err := api.ListenLoopback(address); err == nil {
			t.Errorf("listens on %s", address)
		}
	}
}
