package probe

import (
	"bytes"
	"os"
	"strconv"
)

// killRounds bounds the sweeps over a tree that forks while it is killed.
const killRounds = 50

// killTagged kills every process with tag in its environment, until a sweep
// finds none: also those that left the process group or their parent. The
// environment is read again once a handle (pidfd) is held, so that a reused
// pid is not hit.
func killTagged(tag string) {
	for range killRounds {
		dir, err := os.Open("/proc")
		if err != nil {
			return
		}
		names, _ := dir.Readdirnames(-1)
		_ = dir.Close()
		found := false
		for _, name := range names {
			if pid, err := strconv.Atoi(name); err == nil && killIfTagged(pid, tag) {
				found = true
			}
		}
		if !found {
			return
		}
	}
}

func killIfTagged(pid int, tag string) bool {
	if !tagged(pid, tag) {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	return tagged(pid, tag) && p.Kill() == nil
}

// tagged is false for a zombie, whose environment is empty.
func tagged(pid int, tag string) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(env, []byte(tag))
}
