//go:build linux && amd64

package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data, and the architecture's number.
const (
	atNumber  = 0
	atArch    = 4
	atFirst   = 16 // of the first argument, its lower half
	archAMD64 = 0xc000003e
)

// filterClock has the calling thread, and all that comes from it, stop for the
// tracer where it asks for the wall clock.
func filterClock() error {
	if os.Geteuid() != 0 {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	equal := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	give := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	program := []unix.SockFilter{
		load(atArch),
		equal(archAMD64, 0, 7), // else: allow
		load(atNumber),
		equal(unix.SYS_GETTIMEOFDAY, 6, 0),
		equal(unix.SYS_TIME, 5, 0),
		equal(unix.SYS_CLOCK_GETTIME, 0, 3), // else: allow
		load(atFirst),
		equal(unix.CLOCK_REALTIME, 2, 0),
		equal(unix.CLOCK_REALTIME_COARSE, 1, 0),
		give(unix.SECCOMP_RET_ALLOW),
		give(unix.SECCOMP_RET_TRACE),
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}
