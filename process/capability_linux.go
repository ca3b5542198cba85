package process

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilities in the order of their numbers.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// capabilityBits reads names, with or without "CAP_", in any case.
func capabilityBits(names []string) (uint64, error) {
	var bits uint64
	for _, name := range names {
		full := strings.ToUpper(name)
		if !strings.HasPrefix(full, "CAP_") {
			full = "CAP_" + full
		}
		number := slices.Index(capabilities, full)
		if number < 0 {
			return 0, fmt.Errorf("there is no capability %q", name)
		}
		bits |= 1 << number
	}
	return bits, nil
}

// unprivileged says that capabilities are restricted by a peer that may not
// touch its bounding set; then no exec may bring any back.
func (s Sandbox) unprivileged() bool {
	return s.Capabilities != nil && !mayDropBounding()
}

func mayDropBounding() bool { return permitted()&(1<<unix.CAP_SETPCAP) != 0 }

// permitted are the capabilities this thread may use.
func permitted() uint64 {
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32
}

func (o *order) dropBounding() error {
	if o.Sandbox.Capabilities == nil || !mayDropBounding() {
		return nil
	}
	kept, err := capabilityBits(*o.Sandbox.Capabilities)
	if err != nil {
		return err
	}
	for number := range 64 {
		if kept&(1<<number) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(number), 0, 0, 0)
		if err == unix.EINVAL { // beyond the last one this kernel knows
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setCapabilities keeps exactly those listed; as ambient ones they survive the
// exec of an ordinary file by an ordinary user.
func (o *order) setCapabilities() error {
	if o.Sandbox.Capabilities == nil {
		return nil
	}
	bits, err := capabilityBits(*o.Sandbox.Capabilities)
	if err != nil {
		return err
	}
	low, high := uint32(bits), uint32(bits>>32)
	data := [2]unix.CapUserData{
		{Effective: low, Permitted: low, Inheritable: low},
		{Effective: high, Permitted: high, Inheritable: high},
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for number := range capabilities {
		if bits&(1<<number) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(number), 0, 0); err != nil {
			return err
		}
	}
	return nil
}

func root() bool { return os.Geteuid() == 0 }
