package process

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Unsupported lists what of s this host cannot enforce, one sentence each; a
// component with any is not started.
func (d *Door) Unsupported(s Spec) []string {
	var why []string
	add := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }

	if _, err := lookup(s.User, s.Group); err != nil {
		add("%v", err)
	} else if s.User+s.Group != "" && !root() {
		add("only root can run a component as another user or group, without supplementary groups")
	}
	for _, l := range []struct {
		name, controller string
		asked            bool
	}{
		{"memory", "memory", s.Limits.Memory > 0},
		{"cpu", "cpu", s.Limits.CPU > 0},
		{"pids", "pids", s.Limits.Pids > 0},
	} {
		if l.asked && !d.hierarchies.limits(l.controller) {
			add("resources.%s cannot be limited: no cgroup controller %q is delegated to the peer", l.name, l.controller)
		}
	}
	why = append(why, s.Limits.unsupported()...)
	why = append(why, s.Sandbox.unsupported()...)
	if s.Checksum != "" && !validChecksum(s.Checksum) {
		add("checksum %q is not sha256: and 64 hexadecimal digits", s.Checksum)
	}
	if !shimReady.Load() && d.needsShim(s) {
		add("%v", errNoShim)
	}
	return why
}

func validChecksum(sum string) bool {
	digits, ok := strings.CutPrefix(sum, checksumPrefix)
	raw, err := hex.DecodeString(digits)
	return ok && err == nil && len(raw) == 32
}

// unsupported limits are those that only root may set.
func (l Limits) unsupported() []string {
	if root() {
		return nil
	}
	var why []string
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil && l.NoFile > files.Max {
		why = append(why, fmt.Sprintf("resources.nofile %d is above the peer's own hard limit %d", l.NoFile, files.Max))
	}
	if l.Nice < 0 {
		why = append(why, "resources.nice below 0 needs root")
	}
	if l.OOMScoreAdj != nil && *l.OOMScoreAdj < ownOOMScore() {
		why = append(why, fmt.Sprintf("resources.oomScoreAdj below the peer's own %d needs root", ownOOMScore()))
	}
	return why
}

func ownOOMScore() int {
	text, _ := os.ReadFile("/proc/self/oom_score_adj")
	return int(atoi(text))
}

func (s Sandbox) unsupported() []string {
	var why []string
	if s.landlocked() && landlockVersion() == 0 {
		why = append(why, "sandbox.readOnly and readWrite cannot be enforced: "+errNoLandlock.Error())
	}
	if s.Capabilities == nil {
		return why
	}
	bits, err := capabilityBits(*s.Capabilities)
	switch {
	case err != nil:
		why = append(why, err.Error())
	case bits&^permitted() != 0:
		why = append(why, "sandbox.capabilities asks for more than the peer itself has")
	}
	return why
}
