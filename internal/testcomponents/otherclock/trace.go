//go:build linux && amd64

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// offset is what the clock is set to, in nanoseconds beyond the true one.
var offset atomic.Int64

// Requests and flags of ptrace that the library does not name, or not as such.
const (
	noThread   = 0x20000000 // wait only for those whom this thread traces
	atVDSO     = 33         // AT_SYSINFO_EHDR
	atIgnore   = 1
	groupStop  = 128 // PTRACE_EVENT_STOP
	maxStack   = 1 << 20
	traceMarks = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE |
		unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
)

// trace follows a process and all that it starts until the last has ended.
func trace(pid int, seized func(error)) {
	runtime.LockOSThread() // it is a thread that traces
	err := ptrace(unix.PTRACE_SEIZE, pid, traceMarks)
	seized(err)
	if err != nil {
		return
	}
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL|noThread, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return
		case status.Stopped():
			resume(tid, status)
		}
	}
}

// resume lets a thread go on that has stopped. One that is gone meanwhile is
// none to care for, so errors are ignored.
func resume(tid int, status unix.WaitStatus) {
	sig, event := status.StopSignal(), int(status)>>16
	switch event {
	case 0: // on its way to it: a signal
		_ = ptrace(unix.PTRACE_CONT, tid, uintptr(sig))
		return
	case groupStop:
		switch sig {
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
			_ = ptrace(unix.PTRACE_LISTEN, tid, 0)
			return
		}
	case unix.PTRACE_EVENT_EXEC:
		if err := hideVDSO(tid); err != nil {
			fmt.Fprintln(os.Stderr, "otherclock: cannot hide the vDSO:", err)
		}
	case unix.PTRACE_EVENT_SECCOMP:
		answer(tid)
	}
	_ = ptrace(unix.PTRACE_CONT, tid, 0)
}

func ptrace(request, tid int, data uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// answer tells a thread the time and has it skip the system call.
func answer(tid int) {
	var regs syscall.PtraceRegs
	if syscall.PtraceGetRegs(tid, &regs) != nil {
		return
	}
	now := time.Now().Add(time.Duration(offset.Load()))
	var at, fraction uint64
	regs.Rax, fraction = 0, uint64(now.Nanosecond())
	switch regs.Orig_rax {
	case unix.SYS_CLOCK_GETTIME:
		at = regs.Rsi
	case unix.SYS_GETTIMEOFDAY:
		at, fraction = regs.Rdi, fraction/1000
	case unix.SYS_TIME:
		regs.Rax = uint64(now.Unix())
	}
	if at != 0 {
		pair := binary.LittleEndian.AppendUint64(nil, uint64(now.Unix()))
		pair = binary.LittleEndian.AppendUint64(pair, fraction)
		if _, err := syscall.PtracePokeData(tid, uintptr(at), pair); err != nil {
			regs.Rax = ^uint64(unix.EFAULT) + 1
		}
	}
	regs.Orig_rax = ^uint64(0)
	_ = syscall.PtraceSetRegs(tid, &regs)
}

// hideVDSO takes the vDSO out of the auxiliary vector of a program that was
// just executed: on its stack, behind arguments and environment.
func hideVDSO(tid int) error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", tid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	stack := make([]byte, maxStack)
	n, _ := mem.ReadAt(stack, int64(regs.Rsp)) // it ends before the buffer does
	word := func(i int) uint64 {
		if 8*i+8 > n {
			return 0
		}
		return binary.LittleEndian.Uint64(stack[8*i:])
	}
	i := 1 + int(word(0)) + 1 // argc, argv and its end
	for ; word(i) != 0; i++ {
	}
	for i++; word(i) != 0; i += 2 {
		if word(i) == atVDSO {
			_, err := mem.WriteAt(binary.LittleEndian.AppendUint64(nil, atIgnore), int64(regs.Rsp)+int64(8*i))
			return err
		}
	}
	return fmt.Errorf("no vDSO is among %d bytes of the stack", n)
}
