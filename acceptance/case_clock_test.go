//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// wallClock is a wall clock of a test's own; what runs under it shows no other.
type wallClock struct {
	t      testing.TB
	socket string
	day    time.Time // the first of its days
	by     time.Duration
}

// newWallClock starts the clock. It is to be made before the peer that runs
// under it, so that it ends after that.
func newWallClock(t testing.TB) *wallClock {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "accclock")
	if err != nil {
		t.Fatal(err)
	}
	c := &wallClock{t: t, socket: filepath.Join(dir, "s"), day: time.Now().UTC().Truncate(24 * time.Hour)}
	tracer := exec.Command(program("otherclock"), "trace", c.socket)
	tracer.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = tracer.Process.Kill()
		_ = tracer.Wait()
		_ = os.RemoveAll(dir)
	})
	p := &peerd{t: t}
	p.waitFor("there is a clock", func() bool { _, err := os.Stat(c.socket); return err == nil || !alive(tracer.Process.Pid) })
	if out, err := exec.Command(program("otherclock"), "run", c.socket, "/bin/true").CombinedOutput(); err != nil {
		t.Skipf("no process can be given another clock here: %v: %s", err, out)
	}
	return c
}

// set sets the clock, compared with the true one.
func (c *wallClock) set(by time.Duration) {
	c.t.Helper()
	c.by = by
	if out, err := exec.Command(program("otherclock"), "set", c.socket, by.String()).CombinedOutput(); err != nil {
		c.t.Fatalf("cannot set the clock: %v: %s", err, out)
	}
}

// to sets the clock to a time of its first day, or of a later one.
func (c *wallClock) to(days int, clock string) {
	c.t.Helper()
	at, err := time.Parse(time.DateTime, c.day.AddDate(0, 0, days).Format(time.DateOnly)+" "+clock)
	if err != nil {
		c.t.Fatal(err)
	}
	c.set(time.Until(at))
}

func (c *wallClock) now() time.Time { return time.Now().Add(c.by).UTC() }

// underAClock is what must not notice that the clock is set, and what waits for
// something meanwhile.
const underAClock = `
defaults: {workingDirectory: .}
components:` + ticker + `
  plain: {command: [/bin/sleep, "600"]}
  probed: {command: [/bin/sleep, "600"], health: {exec: [/bin/true], interval: 50ms, timeout: 30s, failures: 1}}
  numbers:
    command: [/bin/sh, -c, "i=0; while :; do i=$((i+1)); echo $i is a line that fills its file in not too long a time; sleep 0.01; done"]
    logs: {maxSize: 16KiB, maxFiles: 1000, maxLine: 1KiB}
  backoff: {command: [/bin/sh, -c, "exit 3"], restart: {policy: always, delay: 1500ms, factor: 1, jitter: 0, limit: {count: 1000, within: 1s}}}
  deaf: {command: ` + deafShell + `, ` + armed + `, componentStopWaitTime: 3s}
  slow: {command: [/bin/sleep, "600"], ready: {logLine: never}, launchTimeout: 4s, restart: {policy: never}, enabled: false}
  noon: {command: [/bin/true], schedule: "CRON_TZ=UTC 0 12 * * *"}
  span: {command: [/bin/true], schedule: "@every 1s"}
`

// The wall clock is set back by an hour, and forward: nothing restarts, nothing
// that waits is stuck or ends early, no schedule runs twice for one time, and
// neither history nor captured output loses its order.
func TestCase47TheWallClockIsSet(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"back": -time.Hour, "forward": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newWallClock(t)
			c.to(0, "09:30:00")
			p := prepare(t, underAClock)
			p.wrap = []string{program("otherclock"), "run", c.socket}
			p.run()
			p.ready()
			p.running("ticker", "plain", "probed", "numbers", "deaf")
			before := p.pids("ticker", "plain", "probed", "numbers")
			p.is("backoff", "backoff")
			crashes := launches(p.history("backoff"))
			p.must("stop", "deaf", "--no-wait")
			p.must("start", "slow", "--no-wait")
			p.is("deaf", "stopping")
			p.is("slow", "starting")

			c.set(c.by + by)
			p.suffers("clock", "set by")
			p.waitFor("the backoff goes on", func() bool { return launches(p.history("backoff")) > crashes+1 })
			p.is("deaf", "stopped") // its stop budget is over, and then force
			if r := p.is("slow", "failed").Reason; !strings.Contains(r, "not started within") {
				t.Errorf("slow: %s", r)
			}
			runs := launches(p.history("span"))
			p.waitFor("the spans go on", func() bool { return launches(p.history("span")) > runs+1 })
			p.must("report-state", "ticker")
			p.killPeerd(nil) // the next one starts under the new clock, and takes up what was of the old
			p.running("ticker", "plain", "probed", "numbers")
			if now := p.pids("ticker", "plain", "probed", "numbers"); fmt.Sprint(now) != fmt.Sprint(before) {
				t.Errorf("were %v and are %v", before, now)
			}
			p.tellsTheTime(c)
			p.inOrder("numbers")
			p.recovers()
			p.must("stop", "backoff", "span") // or they come between
		})
	}
}

// tellsTheTime wants history and captured output to be dated by the clock as it
// is now.
func (p *peerd) tellsTheTime(c *wallClock) {
	p.t.Helper()
	p.must("restart", "plain")
	history := p.history("plain")
	if off := history[len(history)-1].At.Sub(c.now()).Abs(); off > 10*time.Minute {
		p.t.Errorf("the last step of plain is dated %v, %v from the clock", history[len(history)-1].At, off)
	}
	var line struct{ At time.Time }
	p.decode(p.must("logs", "numbers", "--tail", "1", "-o", "json"), &line)
	if off := line.At.Sub(c.now()).Abs(); off > 10*time.Minute {
		p.t.Errorf("the last line of numbers is dated %v, %v from the clock", line.At, off)
	}
}

// inOrder wants the lines of an instance to be numbered without a gap.
func (p *peerd) inOrder(name string) {
	p.t.Helper()
	next := 1
	for line := range strings.Lines(p.must("logs", name, "--raw")) {
		number, _, ok := strings.Cut(line, " ")
		if !ok || number != strconv.Itoa(next) {
			p.t.Fatalf("line %d of %s is %q", next, name, line)
		}
		next++
	}
	if next < 100 {
		p.t.Errorf("only %d lines of %s", next-1, name)
	}
}

// A schedule for a time of day runs once, though the clock comes by that time
// twice, and again on the next day.
func TestCase47NoScheduleRunsTwice(t *testing.T) {
	t.Parallel()
	c := newWallClock(t)
	c.to(0, "11:59:57")
	p := prepare(t, `
components:
  noon: {command: [/bin/true], schedule: "CRON_TZ=UTC 0 12 * * *"}
  minutely: {command: [/bin/true], schedule: "CRON_TZ=UTC * * * * *"}
  clock: {command: [/bin/sh, -c, "while :; do date -u +%H:%M:%S; sleep 0.1; done"], env: {TZ: UTC}}
`)
	p.wrap = []string{program("otherclock"), "run", c.socket}
	p.run()
	p.ready()
	ran := func(name string) (n int) {
		for _, r := range p.history(name) {
			if r.To == lifecycle.Completed {
				n++
			}
		}
		return n
	}
	p.waitFor("noon", func() bool { return ran("noon") == 1 && ran("minutely") >= 1 })
	before := ran("minutely")
	c.to(0, "10:59:57") // an hour back: what comes again and again goes on
	p.waitFor("a minute begins", func() bool { return ran("minutely") > before })
	c.to(0, "11:59:57")
	p.waitFor("noon is over for the second time", func() bool {
		return strings.TrimSpace(p.must("logs", "clock", "--tail", "1")) > "12:00:03" && c.now().Format(time.TimeOnly) > "12:00:03"
	})
	if n := ran("noon"); n != 1 {
		t.Errorf("noon ran %d times on one day", n)
	}
	c.to(1, "11:59:57")
	p.waitFor("noon of the next day", func() bool { return ran("noon") == 2 })
}
