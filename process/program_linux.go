package process

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// program is the executable of an order; with a checksum it is the very file
// that was verified, held open.
type program struct{ file *os.File }

const checksumPrefix = "sha256:"

// openProgram verifies the checksum, if there is one.
func openProgram(o order) (program, error) {
	if o.Checksum == "" {
		return program{}, nil
	}
	file, err := os.Open(string(o.Path))
	if err != nil {
		return program{}, failed{"open the executable", err}
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return program{}, failed{"read the executable", err}
	}
	if got := checksumPrefix + hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, o.Checksum) {
		return program{}, failed{"verify the executable", fmt.Errorf("its checksum is %s, not %s", got, o.Checksum)}
	}
	return program{file}, nil
}

// exec becomes the program.
func (p program) exec(o order) error {
	if p.file == nil {
		return failed{"", syscall.Exec(string(o.Path), plainly(o.Args), plainly(o.Env))}
	}
	if interpreter(string(o.Path)) != "" { // it will open the file again, by its fd
		if _, err := unix.FcntlInt(p.file.Fd(), unix.F_SETFD, 0); err != nil {
			return failed{"keep the script open", err}
		}
	}
	// An exec that fails gives back the limit of open files that the runtime
	// raised for itself; execveat below would pass the raised one on.
	_ = syscall.Exec("", nil, nil)
	return failed{"", execFile(p.file, plainly(o.Args), plainly(o.Env))}
}

// execFile is execveat of an open file.
func execFile(file *os.File, args, env []string) error {
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return err
	}
	envv, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	var empty byte
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, file.Fd(), pointer(&empty),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])), unix.AT_EMPTY_PATH, 0)
	runtime.KeepAlive(argv)
	runtime.KeepAlive(envv)
	return errno
}

// interpreter is the program that a script names in its first line, "" if the
// file is no script.
func interpreter(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	start := make([]byte, 256)
	n, _ := io.ReadFull(file, start)
	line, ok := strings.CutPrefix(string(start[:n]), "#!")
	if !ok {
		return ""
	}
	line, _, _ = strings.Cut(line, "\n")
	if words := strings.Fields(line); len(words) > 0 {
		return words[0]
	}
	return ""
}
