//go:build linux

package acceptance_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// hardy is what faults are inflicted on: none of these but the victim may notice
// them. The victim is killed meanwhile, and must be back afterwards.
const hardy = `
defaults: {workingDirectory: .}
components:` + ticker + `
  plain: {command: [/bin/sleep, "600"]}
  noisy: {command: [/bin/sh, -c, "while :; do echo a line that is not too short, so that the file of 4 KiB is full in a while; sleep 0.02; done"], logs: {maxSize: 4KiB, maxFiles: 3, maxLine: 1KiB}}
  probed: {command: [/bin/sleep, "600"], health: {exec: [/bin/true], interval: 50ms, failures: 1, onFailure: restart}}
  victim: {command: [/bin/sleep, "600"], restart: {delay: 100ms}, ready: {startSeconds: 100ms}}
  late: {command: [/bin/sleep, "600"], restart: {delay: 100ms}, ready: {startSeconds: 100ms}, replicas: 6, enabled: false}
`

var untouchables = []string{"ticker", "plain", "noisy", "probed"}

// outlives strikes the victim during a fault, ends the fault and wants all to
// be well again: nobody else was touched, and the victim is back.
func (p *peerd) outlives(before map[string][2]uint64, end func()) {
	p.t.Helper()
	p.untouched(before)
	p.strike("victim", syscall.SIGKILL)
	p.waitFor("the victim's end is noticed", func() bool { i := p.of("victim"); return i.Generation > 1 || i.Status != "running" })
	p.untouched(before)
	end()
	p.recovers()
	p.running("victim")
	p.untouched(before)
	p.must("restart", "victim")
	p.must("report-state", "ticker")
	p.nobodyIsUnknown()
	p.oneEndEach()
}

// untouched wants those to be as they were that nobody acted on.
func (p *peerd) untouched(before map[string][2]uint64) {
	p.t.Helper()
	if now := p.pids(slices.Collect(maps.Keys(before))...); !maps.Equal(now, before) {
		p.t.Fatalf("were %v and are %v", before, now)
	}
}

// sturdy starts the peer that faults are inflicted on.
func sturdy(t *testing.T, prepared func(*peerd)) (*peerd, map[string][2]uint64) {
	t.Helper()
	p := prepare(t, hardy)
	if prepared != nil {
		prepared(p)
	}
	p.run()
	p.ready()
	p.running(append(untouchables, "victim")...)
	return p, p.pids(untouchables...)
}

// smallDisk puts the peer's state on a file system of a few megabytes.
func (p *peerd) smallDisk() {
	p.t.Helper()
	dir := p.path("state")
	if os.Geteuid() != 0 {
		p.t.Skip("only root can mount a small file system")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m,mode=700"); err != nil {
		p.t.Skipf("cannot mount a small file system: %v", err)
	}
	p.t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	p, before := sturdy(t, (*peerd).smallDisk)
	empty := p.fillDisk()
	p.suffers("disk", "no space left")
	p.suffers("output is being lost", "noisy", "no space left", "bytes so far")
	if lost := p.lost("noisy"); lost <= 0 {
		t.Errorf("%d bytes are counted", lost)
	}
	p.outlives(before, empty)
	p.waitFor("the loss is said in the log", func() bool { return strings.Contains(p.must("logs", "noisy", "--raw"), "were lost here") })
	lost := p.lost("noisy")
	p.must("restart", "noisy")
	if now := p.metric("peerd_log_dropped_bytes_total"); now < float64(lost) {
		t.Errorf("%v bytes are counted after its end, %d before", now, lost)
	}
}

// On a disk without a byte to spare whoever is to be stopped is stopped, which is
// remembered over a restart of peerd; nobody else begins anything.
func TestStoppingOnADiskThatIsFull(t *testing.T) {
	t.Parallel()
	p, _ := sturdy(t, (*peerd).smallDisk)
	for range 2 {
		empty := p.fillDisk()
		p.waitFor("the journal has no room of its own any more", func() bool {
			return p.ccpc("restart", "noisy").code != 0
		})
		p.refused(1, "no space left", "start", "late#1")
		p.must("stop", "plain")
		p.must("kill", "probed")
		p.killPeerd(nil)
		for _, name := range []string{"plain", "probed"} {
			if i := p.of(name); i.Status != "stopped" || i.Desired != "down" {
				t.Errorf("%s after a restart of peerd: %v", name, i)
			}
			history := p.history(name)
			if end := history[len(history)-1]; end.Exit == nil || end.To != lifecycle.Stopped {
				t.Errorf("%s ended as %+v", name, end)
			}
		}
		p.must("stop", "--all")
		empty()
		p.recovers()
		p.must("start", "--all")
		p.running(append(untouchables, "victim")...)
	}
	p.nobodyIsUnknown()
	p.oneEndEach()
}

// lost is how many bytes of an instance's output could not be stored.
func (p *peerd) lost(name string) int64 {
	p.t.Helper()
	var row struct {
		Dropped int64 `json:"droppedLogBytes"`
	}
	p.decode(p.must("get", name, "-o", "json"), &row)
	return row.Dropped
}

func TestADiskThatFails(t *testing.T) {
	t.Parallel()
	needsStrace(t)
	for _, errno := range []string{"EIO", "EROFS"} {
		t.Run(errno, func(t *testing.T) {
			t.Parallel()
			p, before := sturdy(t, nil)
			end1 := p.inflict(p.cmd.Process.Pid, "pwrite64,ftruncate,fsync,fdatasync", "error="+errno)
			end2 := p.inflict(p.keeperPid(), "splice,pwrite64,ftruncate", "error="+errno)
			words := map[string]string{"EIO": "input/output error", "EROFS": "read-only file system"}[errno]
			if r := p.ccpc("restart", "plain"); r.code == 0 || !strings.Contains(r.stderr, words) {
				t.Errorf("want a refusal with its reason: %v", r)
			}
			p.suffers("journal", words)
			p.suffers("output is being lost", "noisy", words)
			p.outlives(before, func() { end1(); end2() })
		})
	}
}

// The state folder becomes read-only for whatever is opened from now on.
func TestADiskThatBecomesReadOnly(t *testing.T) {
	t.Parallel()
	p, before := sturdy(t, (*peerd).smallDisk)
	dir := p.path("state")
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("cannot bind a folder: %v", err)
	}
	bound := true
	unbind := func() {
		if bound {
			bound = false
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	}
	t.Cleanup(unbind)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot make a folder read-only: %v", err)
	}
	p.suffers("disk", "read-only file system")
	p.suffers("output is being lost", "noisy", "read-only file system")
	p.outlives(before, unbind)
}

// fdsOf is how many descriptors a process has open.
func fdsOf(t testing.TB, pid int) uint64 {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return uint64(len(entries))
}

// tighten lets a process have no more descriptors than it has, until the
// returned function is called.
func (p *peerd) tighten(pid int) (loosen func()) {
	p.t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		p.t.Skipf("cannot limit a process: %v", err)
	}
	limit := unix.Rlimit{Cur: fdsOf(p.t, pid), Max: old.Max}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		p.t.Skipf("cannot limit a process: %v", err)
	}
	return func() { _ = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil) }
}

func TestNoDescriptorsInPeerd(t *testing.T) {
	t.Parallel()
	p, before := sturdy(t, nil)
	loosen := p.tighten(p.cmd.Process.Pid)
	p.must("start", "late", "--no-wait")
	p.suffers("cannot be started now", "late", "too many open files")
	for range 20 { // while its health cannot always be checked
		p.untouched(before)
	}
	p.must("stop", "plain")
	p.must("start", "plain", "--no-wait")
	delete(before, "plain")
	p.outlivesStruck(before, loosen)
	p.running("late#1", "late#6", "plain")
}

func TestNoDescriptorsInTheKeeper(t *testing.T) {
	t.Parallel()
	p, before := sturdy(t, nil)
	loosen := p.tighten(p.keeperPid())
	p.must("start", "late", "--no-wait")
	p.suffers("cannot be started now", "late", "too many open files")
	p.must("stop", "plain")
	p.must("start", "plain", "--no-wait")
	delete(before, "plain")
	p.outlivesStruck(before, loosen)
	p.running("late#1", "late#6", "plain")
}

func TestNoProcesses(t *testing.T) {
	t.Parallel()
	needsStrace(t)
	p, before := sturdy(t, nil)
	end := p.inflict(p.keeperPid(), "clone,clone3,fork,vfork", "error=EAGAIN")
	p.strike("victim", syscall.SIGKILL)
	p.suffers("cannot be started now", "victim", "resource temporarily unavailable")
	p.outlivesStruck(before, end)
}

// outlivesStruck is outlives where the victim is struck already.
func (p *peerd) outlivesStruck(before map[string][2]uint64, end func()) {
	p.t.Helper()
	p.untouched(before)
	end()
	p.recovers()
	p.running("victim")
	p.untouched(before)
	p.must("restart", "victim", "probed")
	p.nobodyIsUnknown()
	p.oneEndEach()
}

// metric is the value of a metric without labels.
func (p *peerd) metric(name string) float64 {
	p.t.Helper()
	for line := range strings.Lines(p.metrics()) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

// A peer that is started while the disk is full takes up what runs, or says why
// it cannot and touches nothing.
func TestAPeerStartedOnADiskThatIsFull(t *testing.T) {
	t.Parallel()
	p, before := sturdy(t, (*peerd).smallDisk)
	p.signal(syscall.SIGKILL)
	p.over()
	empty := p.fillDisk()
	lives := p.leaders()
	p.run()
	p.waitFor("peerd is ready or over", func() bool { return p.isOver() || p.get("/readyz") == 200 })
	if p.isOver() {
		said, _ := os.ReadFile(p.path("peerd.log"))
		if p.ended.ExitStatus() != 1 || !strings.Contains(string(said), "no space left") {
			t.Errorf("%s:\n%s", describe(*p.ended), said)
		}
	} else {
		p.suffers("no space left")
		p.untouched(before)
	}
	for _, pid := range lives {
		if !alive(pid) {
			t.Errorf("pid %d ended", pid)
		}
	}
	empty()
	if p.isOver() {
		p.run()
		p.ready()
	}
	p.recovers()
	p.running(append(untouchables, "victim")...)
	p.untouched(before)
}

// fillDisk leaves no byte on the disk of the state, until the returned function
// is called.
func (p *peerd) fillDisk() (empty func()) {
	p.t.Helper()
	filler := p.path("state/filler")
	for left := 8 << 20; left > 0; left -= 4 << 10 {
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err == nil {
			_, err = f.Write(make([]byte, 4<<10))
			_ = f.Close()
		}
		if err != nil {
			break
		}
	}
	return func() {
		if err := os.Remove(filler); err != nil {
			p.t.Fatal(err)
		}
	}
}
