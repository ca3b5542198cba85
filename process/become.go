//go:build unix

package process

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// bequestVar tells a program which files the one that it was before has left
// it: PID:name=fd,name=fd. The pid tells it apart from one that was inherited.
const bequestVar = "PEERD_BEQUEST"

// Become makes this very process another program: the pid, the children and
// who the subreaper is stay, the named files stay open for Bequest, everything
// else ends. argv[0] is the program's name, path its file. Nothing may be
// spawned meanwhile. It returns only when it fails; then nothing has changed.
func Become(path string, argv, env []string, files map[string]*os.File) error {
	var bequest []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fd, err := descriptor(files[name])
		if err == nil {
			err = setCloseOnExec(fd, false)
			defer func() { _ = setCloseOnExec(fd, true) }()
		}
		if err != nil {
			return fmt.Errorf("cannot pass the file %s on: %w", name, err)
		}
		bequest = append(bequest, name+"="+strconv.Itoa(fd))
	}
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, bequestVar+"=") })
	env = append(env, fmt.Sprintf("%s=%d:%s", bequestVar, os.Getpid(), strings.Join(bequest, ",")))
	return fmt.Errorf("cannot become %s: %w", path, syscall.Exec(path, argv, env))
}

// Bequest returns the files that Become has left to this program, nil when it
// was started in any other way. It answers once, and is called before anything
// else opens files or starts programs.
func Bequest() map[string]*os.File {
	text, ok := os.LookupEnv(bequestVar)
	if !ok {
		return nil
	}
	_ = os.Unsetenv(bequestVar)
	pid, list, _ := strings.Cut(text, ":")
	if pid != strconv.Itoa(os.Getpid()) {
		return nil
	}
	files := map[string]*os.File{}
	for _, entry := range strings.Split(list, ",") {
		name, number, _ := strings.Cut(entry, "=")
		fd, err := strconv.Atoi(number)
		if err == nil {
			err = setCloseOnExec(fd, true)
		}
		if err == nil {
			files[name] = os.NewFile(uintptr(fd), name)
		}
	}
	return files
}

// descriptor is a file's number; unlike Fd it leaves the file as it is.
func descriptor(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(n uintptr) { fd = int(n) })
	return fd, err
}

func setCloseOnExec(fd int, on bool) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		return err
	}
	if flags &^= unix.FD_CLOEXEC; on {
		flags |= unix.FD_CLOEXEC
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	return err
}

// KeepFD duplicates an open file's descriptor for the next program. It is
// closed by exec until [unix.FD_CLOEXEC] is taken from it.
func KeepFD(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3) }); err != nil {
		return -1, err
	}
	return fd, dupErr
}
