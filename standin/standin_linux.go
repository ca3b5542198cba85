package standin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/process"
)

// Available says whether this platform has stand-ins.
const Available = true

// standinName is the argv[0] by which the program recognises that it is one.
const standinName = "peerd:standin"

// maxWords bounds a message of either side.
const maxWords = 64 << 10

// Args are the words by which a program that calls Main is the stand-in for
// another one, its own name among them. dir is the private folder; args are the
// other's arguments, its name excluded.
func Args(dir, program string, args []string) []string {
	return append([]string{standinName, dir, program}, args...)
}

// Socket is where the stand-in of a private folder waits.
func Socket(dir string) string { return filepath.Join(dir, "a") }

// Waits reports whether the stand-in of a private folder is there to be attached.
func Waits(dir string) bool {
	_, err := os.Lstat(Socket(dir))
	return err == nil
}

// Main returns at once in an ordinary program. In a stand-in it does not return.
func Main() {
	if len(os.Args) < 3 || os.Args[0] != standinName {
		return
	}
	err := stand(os.Args[1], os.Args[2:])
	fmt.Fprintln(os.Stderr, "cannot be attached:", err)
	os.Exit(1)
}

// order is what somebody who attaches wants.
type order struct {
	Prefix []string `json:"prefix"` // goes before the component's own command line
	Term   string   `json:"term"`   // the kind of terminal
}

// answer refuses an order; the one that is carried out comes with the captured
// output.
type answer struct {
	Error string `json:"error,omitempty"`
}

// stand waits for an order that can be carried out, and does. It returns only
// when it fails.
func stand(dir string, command []string) error {
	l, err := listen(dir)
	if err != nil {
		return err
	}
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return err
		}
		o, terminal, err := receive(conn)
		var path string
		argv := slices.Concat(o.Prefix, command)
		if err == nil {
			path, err = exec.LookPath(argv[0])
		}
		if err != nil {
			_ = tell(conn, answer{Error: err.Error()})
			_ = errors.Join(terminal.Close(), conn.Close())
			continue
		}
		if err := errors.Join(os.Remove(Socket(dir)), l.Close()); err != nil {
			return err
		}
		if err := tell(conn, answer{}, 1); err != nil {
			return fmt.Errorf("cannot hand the captured output over: %w", err)
		}
		return become(path, argv, o.Term, terminal)
	}
}

// listen makes the socket. It has its name only when it can be connected to.
func listen(dir string) (*net.UnixListener, error) {
	unready := filepath.Join(dir, "b")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: unready, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, os.Rename(unready, Socket(dir))
}

// receive reads an order and the terminal that comes with it, which may be nil.
func receive(conn *net.UnixConn) (o order, terminal *os.File, err error) {
	who, err := process.PeerCredentials(conn)
	if err != nil {
		return o, nil, err
	}
	if own := uint32(os.Geteuid()); who.UID != 0 && who.UID != own {
		return o, nil, fmt.Errorf("user %d may not attach; user %d and root may", who.UID, own)
	}
	if terminal, err = hear(conn, &o); err == nil && terminal == nil {
		err = errors.New("no terminal was handed over")
	}
	return o, terminal, err
}

// become makes this process the component, on the terminal.
func become(path string, argv []string, kind string, terminal *os.File) error {
	for fd := range 3 {
		if err := unix.Dup3(int(terminal.Fd()), fd, 0); err != nil {
			return fmt.Errorf("cannot use the terminal: %w", err)
		}
	}
	// Without it the keys that interrupt and suspend do nothing; all else works.
	_ = unix.IoctlSetInt(0, unix.TIOCSCTTY, 0)
	env := os.Environ()
	if kind != "" && os.Getenv("TERM") == "" {
		env = append(env, "TERM="+kind)
	}
	return fmt.Errorf("cannot execute %s: %w", strings.Join(argv, " "), syscall.Exec(path, argv, env))
}

// tell sends a message, with files.
func tell(conn *net.UnixConn, message any, files ...int) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(text) > maxWords {
		return fmt.Errorf("a command line of %d bytes is too long; at most %d are allowed", len(text), maxWords)
	}
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	_, _, err = conn.WriteMsgUnix(text, rights, nil)
	return err
}

// hear reads a message and the file that comes with it; nil: none did.
func hear(conn *net.UnixConn, message any) (*os.File, error) {
	text, rights := make([]byte, maxWords), make([]byte, unix.CmsgSpace(4))
	n, r, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		return nil, err
	}
	var file *os.File
	if messages, err := unix.ParseSocketControlMessage(rights[:r]); err == nil && len(messages) == 1 {
		if fds, err := unix.ParseUnixRights(&messages[0]); err == nil && len(fds) == 1 {
			unix.CloseOnExec(fds[0])
			file = os.NewFile(uintptr(fds[0]), "handed over")
		}
	}
	return file, json.Unmarshal(text[:n], message)
}
