//go:build linux

package acceptance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"
)

// What cannot take over is refused with a reason, and everything stays as it
// was.
func TestUpgradeRefusals(t *testing.T) {
	t.Parallel()
	p := start(t, survivors)
	p.running("ticker", "plain", "ends")
	before, was := p.pids(), p.self()
	script := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := p.path(name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	answer := func(name string, a map[string]any) string {
		raw, _ := json.Marshal(a)
		return script(name, fmt.Sprintf("#!/bin/sh\necho '%s'\n", raw), 0o755)
	}
	state := p.path("state")
	for _, c := range []struct {
		binary string
		code   int
		words  string
	}{
		{p.path("nowhere"), 7, "no such file"},
		{p.dir, 7, "it is no file"},
		{script("text", "#!/bin/sh\n", 0o644), 7, "not executable"},
		{script("open", "#!/bin/sh\n", 0o777), 7, "others may write"},
		{script("rubbish", "\x7fELF\x02\x01\x01 of no machine", 0o755), 7, "no program for this machine"},
		{"/bin/true", 7, "does not answer as a peerd"},
		{"/bin/false", 7, "does not answer as a peerd"},
		{program("ccpc"), 7, "does not answer as a peerd"},
		{answer("newer", map[string]any{"version": "9.0.0", "formats": []int{8, 9}, "journal": 9, "keeper": 1, "stateDir": state}), 7, "by way of a version between"},
		{answer("older", map[string]any{"version": "0.1.0", "formats": []int{1, 1}, "journal": 0, "keeper": 1, "stateDir": state}), 7, "too old"},
		{answer("elsewhere", map[string]any{"version": "1.0.0", "formats": []int{1, 1}, "journal": 9, "keeper": 1, "stateDir": "/elsewhere"}), 7, "would use the state folder"},
		{answer("strict", map[string]any{"version": "2.0.0", "formats": []int{1, 1}, "journal": 9, "keeper": 1, "profile": "line 3: no such key"}), 7, "line 3: no such key"},
	} {
		r := p.refused(c.code, c.words, "upgrade", c.binary)
		if !strings.Contains(r.stderr, "goes on") {
			t.Errorf("%s: it does not say that it goes on: %v", c.binary, r)
		}
	}
	var same struct{ Outcome string }
	p.decode(p.must("upgrade", program("peerd"), "-o", "json"), &same)
	if same.Outcome != "already" {
		t.Errorf("to itself: %+v", same)
	}
	p.decode(p.must("upgrade", "-o", "json"), &same)
	if same.Outcome != "already" {
		t.Errorf("to nothing new: %+v", same)
	}
	now := p.self()
	if pids := p.pids(); !maps.Equal(pids, before) || now.Version != was.Version || now.Pid != was.Pid {
		t.Errorf("was %+v with %v and is %+v with %v", was, before, now, pids)
	}
	if got := p.must("report-state", "ticker"); !strings.Contains(got, "COMPONENT_EXECUTION") {
		t.Errorf("report-state: %s", got)
	}
}

// A program that passes the check and cannot go on gives back, and one that is
// replaced between the check and its start is not started.
func TestAnUpgradeThatFailsIsUndone(t *testing.T) {
	t.Parallel()
	p := start(t, survivors)
	p.running("ticker", "plain", "ends")
	before, was := p.pids(), p.self()
	bad := p.path("bad")
	text := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = handover-check ] && exec %[1]s \"$@\"\nexec %[1]s run /nowhere.yaml\n", version(t, 0))
	if err := os.WriteFile(bad, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	p.refused(1, "could not go on, and gave back", "upgrade", bad)
	now := p.self()
	if pids := p.pids(); !maps.Equal(pids, before) || now.Version != was.Version || now.Pid != was.Pid {
		t.Errorf("was %+v with %v and is %+v with %v", was, before, now, pids)
	}
	if got := p.must("status"); !strings.Contains(got, "nowhere.yaml") {
		t.Errorf("status does not say why: %s", got)
	}
	p.must("upgrade", version(t, 1))
	p.running("ticker", "plain", "ends")
	p.put("go", "")
	p.exited37()
}

// What cannot be handed over while it is under way is waited for, and the
// upgrade called off when that takes too long.
func TestAnUpgradeWaits(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker+"  other: {command: [/bin/sleep, \"600\"]}\n")
	p.running("ticker", "other")
	before := p.pids()
	p.strike("ticker", syscall.SIGSTOP)
	told := make(chan result, 1)
	give := func() { go func() { told <- p.ccpc("report-state", "ticker") }() }
	give()
	next := 0
	p.waitFor("the upgrade is called off", func() bool {
		select {
		case <-told: // it has run out of time
			give()
		default:
		}
		r := p.ccpc("upgrade", version(t, next%2), "--timeout", "300ms")
		next++ // one may be faster than the command
		return r.code == 4 && strings.Contains(r.stderr, "REPORT_STATE")
	})
	p.strike("ticker", syscall.SIGCONT)
	if r := <-told; r.code != 0 {
		t.Errorf("the command that was under way: %v", r)
	}
	p.must("upgrade", version(t, 0))
	p.must("upgrade", version(t, 1))
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}
