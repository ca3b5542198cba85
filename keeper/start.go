package keeper

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	sys "golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/exchange/unix"
)

// Names in the runtime folder.
const (
	socketName = "keeper.sock"
	lockName   = "keeper.lock"
	logName    = "keeper.log" // what a crash of the keeper printed
)

// environment of a keeper. A fixed number of processors keeps the runtime from
// looking for another one every second.
var environment = []string{"GOMAXPROCS=2"}

// maxLog is how large the keeper's log may be before it begins anew.
const maxLog = 1 << 20

// launch starts a keeper's process in a session of its own. It can be connected
// to at once; it answers as soon as an earlier keeper of this folder is gone.
func launch(folder string, argv []string) error {
	l, err := unix.Listen(filepath.Join(folder, socketName))
	if err != nil {
		return err
	}
	defer l.Close()
	socket, err := l.File()
	if err != nil {
		return err
	}
	defer socket.Close()
	lock, err := os.OpenFile(filepath.Join(folder, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	log, err := openLog(filepath.Join(folder, logName))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := &exec.Cmd{
		Path: argv[0], Args: argv, Dir: "/", Env: environment,
		Stdout: log, Stderr: log, ExtraFiles: []*os.File{socket, lock},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the keeper: %w", err)
	}
	return cmd.Process.Release() // the door's reaper waits for it
}

// farewell bounds how long awaitEnd waits, and often is how often it looks.
const (
	farewell = 2 * time.Second
	often    = 5 * time.Millisecond
)

// awaitEnd waits until the folder's keeper has ended.
func awaitEnd(folder string) {
	f, err := os.Open(filepath.Join(folder, lockName))
	if err != nil {
		return
	}
	defer f.Close()
	for deadline := time.Now().Add(farewell); time.Now().Before(deadline); time.Sleep(often) { //nolint:forbidigo // a lock announces its release only to those who block
		if sys.Flock(int(f.Fd()), sys.LOCK_SH|sys.LOCK_NB) == nil {
			return
		}
	}
}

func openLog(path string) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(path, flags, 0o600)
}

// takeLock waits until no other keeper has the folder. The lock goes with the
// process.
func takeLock(fd int) error {
	for {
		err := sys.Flock(fd, sys.LOCK_EX)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, sys.EINTR):
			return fmt.Errorf("cannot lock the keeper's folder: %w", err)
		}
	}
}

// deafTo are the signals that end programs and not this one.
var deafTo = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE}

// heedNothing keeps them from ending this program; its children get them as
// usual.
func heedNothing() (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, deafTo...)
	return func() { signal.Stop(c) }
}
