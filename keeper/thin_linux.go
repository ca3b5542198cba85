package keeper

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// thin gives back the memory that only the start has needed. Peer and keeper
// are one program, and to start it touches all of it: code and constants of the
// control plane are in the keeper's memory then, and never used there. They are
// read-only pages of the executable, which the kernel fetches again if need be.
func thin() {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var begin, end uintptr
		var mode string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s", &begin, &end, &mode); n < 3 {
			continue
		}
		if mode[0] == 'r' && mode[1] == '-' && strings.HasSuffix(lines.Text(), exe) {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED)
		}
	}
	debug.FreeOSMemory()
}
