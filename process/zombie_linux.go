package process

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// statusField is where the wait status is in /proc/PID/stat, counted from the
// state, which is field 3: it is field 52.
const statusField = 52 - 3

// exitOfZombie reads how a process ended that its parent, somebody else, has not
// waited for, and perhaps never will. The kernel shows it to whoever may trace
// the process, and 0 to others; whether this program may, it says where it hides
// the executable. (Before Linux 5.17 it is the main thread's own status, if that
// had ended before the other threads.)
func exitOfZombie(pid, pidfd int) (Exit, bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	line, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Exit{}, false
	}
	status, ok := zombieStatus(line)
	if !ok {
		return Exit{}, false
	}
	if _, err := os.Readlink(dir + "/exe"); !errors.Is(err, unix.ENOENT) {
		return Exit{}, false
	}
	if reaped(pidfd) { // so that the pid may be another's by now
		return Exit{}, false
	}
	return exitOf(status), true
}

// zombieStatus is the wait status in a line of /proc/PID/stat, false unless it
// is a zombie's.
func zombieStatus(line []byte) (unix.WaitStatus, bool) {
	s, err := parseStat(line)
	if err != nil || s.state != 'Z' {
		return 0, false
	}
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) <= statusField {
		return 0, false
	}
	return unix.WaitStatus(atoi(fields[statusField])), true
}
