//go:build linux

package acceptance_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// While a child floods its stdout, control answers, the flood goes on, and
// what is kept stays within its bound.
func TestCase28AFloodBlocksNobody(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:`+ticker+`
  flood: {command: [/usr/bin/yes, "a line of a flood that nobody will ever read"], logs: {maxSize: 1MiB, maxFiles: 3}}
`)
	p.running("ticker", "flood")
	written := func() (n int64) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.of("flood").Pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if _, err := fmt.Sscanf(line, "wchar: %d", &n); err == nil {
				return n
			}
		}
		return 0
	}
	for goal := int64(10 << 20); goal <= 50<<20; goal += 10 << 20 {
		p.waitFor("the flood goes on", func() bool { return written() > goal })
		p.must("report-state", "ticker")
		p.must("ps")
	}
	var kept int64
	files, _ := filepath.Glob(p.path("state/logs/acc/flood/out.log*"))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			kept += info.Size()
		}
	}
	if len(files) > 3 || kept > 3<<20+64<<10 {
		t.Errorf("%d files with %d bytes are kept of 3 of 1 MiB", len(files), kept)
	}
	if i := p.of("flood"); i.Restarts != 0 {
		t.Errorf("flood: %v", i)
	}
}

// A line of 1 MiB without a newline and with NULs; the next line is intact.
func TestCase29AnEndlessLine(t *testing.T) {
	t.Parallel()
	const command = `head -c 1048576 /dev/zero; printf '\n'; echo the next line; exec sleep 600`
	p := start(t, `components: {a: {command: `+script(command)+`, logs: {maxLine: 64KiB}}}`)
	p.waitFor("the next line", func() bool { return strings.Contains(p.must("logs", "a", "--tail", "1"), "the next line") })
	raw := p.must("logs", "a", "--raw")
	if n := strings.Count(raw, "\x00"); n != 1<<20 {
		t.Errorf("%d NULs of %d", n, 1<<20)
	}
	if last := lines(raw); last[len(last)-1] != "the next line" {
		t.Errorf("the last line is %q", last[len(last)-1])
	}
}

// A full device: the child runs on, what is lost is counted and, once there is
// room, said in the log.
func TestCase30AFullLogDevice(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	const command = "n=0; while :; do n=$((n+1)); echo line $n; echo $n >count; sleep 0.01; done"
	p := prepare(t, `
defaults: {workingDirectory: .}
components: {a: {command: `+script(command)+`}}
`)
	dir := p.path("state/logs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	p.run()
	p.ready()
	p.running("a")
	filler := filepath.Join(dir, "filler")
	_ = os.WriteFile(filler, make([]byte, 1<<20), 0o600) // until it is full
	dropped := func() int {
		var row struct {
			Dropped int `json:"droppedLogBytes"`
		}
		p.decode(p.must("get", "a", "-o", "json"), &row)
		return row.Dropped
	}
	p.waitFor("bytes are dropped and counted", func() bool { return dropped() > 0 })
	count := func() string {
		b, _ := os.ReadFile(p.path("count"))
		return string(b)
	}
	before := count()
	p.waitFor("the child goes on", func() bool { return count() != before && count() != "" })
	if i := p.of("a"); i.Status != "running" || i.Restarts != 0 {
		t.Errorf("a: %v", i)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.waitFor("the loss is said in the log", func() bool { return strings.Contains(p.must("logs", "a", "--raw"), "were lost here") })
	after := count()
	p.waitFor("new lines come", func() bool { return !strings.HasSuffix(p.must("logs", "a", "--tail", "1"), " "+after) })
}

// A log file that is removed or renamed is opened again.
func TestCase31ALogFileIsTakenAway(t *testing.T) {
	t.Parallel()
	const command = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.02; done"
	p := start(t, `components: {a: {command: `+script(command)+`}}`)
	file := p.path("state/logs/acc/a/out.log")
	take := map[string]func() error{
		"removed": func() error { return os.Remove(file) },
		"renamed": func() error { return os.Rename(file, p.path("elsewhere")) },
	}
	for how, away := range take {
		p.waitFor("it is written", func() bool { info, err := os.Stat(file); return err == nil && info.Size() > 0 })
		if err := away(); err != nil {
			t.Fatal(err)
		}
		p.waitFor("it is there again after it was "+how, func() bool {
			info, err := os.Stat(file)
			return err == nil && info.Size() > 0
		})
	}
	last := p.must("logs", "a", "--tail", "1")
	p.waitFor("ccpc shows what comes", func() bool { return p.must("logs", "a", "--tail", "1") != last })
}

// Rotation loses and doubles no byte, wherever the boundary falls.
func TestCase32RotationIsExact(t *testing.T) {
	t.Parallel()
	const count = 20000
	command := fmt.Sprintf("seq 1 %d; echo over >&2; exec sleep 600", count)
	p := start(t, `components: {a: {command: `+script(command)+`, logs: {maxSize: 4KiB, maxFiles: 100, maxLine: 1KiB}}}`)
	p.waitFor("all is written", func() bool { return strings.Contains(p.must("logs", "a", "--stream", "err"), "over") })
	var want bytes.Buffer
	for n := range count {
		fmt.Fprintln(&want, n+1)
	}
	p.waitFor("all is there", func() bool { return p.must("logs", "a", "--stream", "out", "--raw") == want.String() })
	if files, _ := filepath.Glob(p.path("state/logs/acc/a/out.log*")); len(files) < want.Len()/(4<<10) {
		t.Errorf("only %d files: nothing was rotated", len(files))
	}
}

// A level set at run time holds at once; one that is to persist holds after a
// restart too.
func TestCase44ALogLevelSetAtRunTime(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	debug := func() bool { return strings.Contains(p.must("logs", "ticker", "--tail", "10"), "[DEBUG]") }
	p.must("set-loglevel", "ticker", "ticker", "debug")
	p.waitFor("debug lines", debug)
	p.must("restart", "ticker")
	p.waitFor("none after a restart", func() bool { return !debug() })
	p.must("set-loglevel", "ticker", "ticker", "debug", "--persist")
	p.must("restart", "ticker")
	p.waitFor("debug lines after a restart", debug)
}
