//go:build linux

package acceptance_test

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// pair is a profile with one component of each kind.
const pair = "components:" + ticker + `
  plain: {command: [/bin/sleep, "600"]}
`

// A peerd that was killed leaves components; the next one on the same state
// never lets an instance live twice.
func TestKillingPeerdNeverMakesAnInstanceLiveTwice(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.processes()
	p.signal(syscall.SIGKILL)
	p.over()
	p.run()
	p.waitFor("the next peerd is ready", func() bool {
		p.oneOfEach(before)
		return p.get("/readyz") == 200
	})
	p.running("ticker", "plain")
	p.oneOfEach(before)
	for name, i := range p.ps() {
		if !alive(i.Pid) || !slices.Contains(p.processes(), i.Pid) {
			t.Errorf("%s: %v", name, i)
		}
	}
}

// The same at any moment of a start.
func TestKillingPeerdWhileItStarts(t *testing.T) {
	t.Parallel()
	p := prepare(t, `
components:
  a: {command: [/bin/sleep, "6001"]}
  b: {command: [/bin/sleep, "6002"]}
  c: {command: [/bin/sleep, "6003"]}
  d: {command: [/bin/sleep, "6004"]}
`)
	for round := range 12 {
		p.run()
		p.waitFor("some are there", func() bool { return len(p.processes()) >= round%4 })
		p.signal(syscall.SIGKILL)
		p.over()
	}
	p.run()
	p.ready()
	p.running("a", "b", "c", "d")
	p.oneOfEach(nil)
}

// oneOfEach wants at most one process of each command.
func (p *peerd) oneOfEach(before []int) {
	p.t.Helper()
	count := map[string][]int{}
	for _, pid := range p.processes() {
		if c := commandOf(pid); c != "" && !strings.Contains(c, "peerd") {
			count[c] = append(count[c], pid)
		}
	}
	for command, pids := range count {
		if len(pids) > 1 {
			p.t.Fatalf("%s lives %d times: %v (before: %v)", command, len(pids), pids, before)
		}
	}
}

// A second peerd on the same state folder exits within 1 s and touches nothing.
func TestASecondPeerdOnTheSameStateExitsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.pids()
	began := time.Now()
	r := p.exec("peerd", "run", p.profile)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if r.code != 1 || !strings.Contains(r.stderr, "in use by another") || !strings.Contains(r.stderr, p.path("state")) {
		t.Errorf("the second peerd: %v", r)
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
	p.must("report-state", "ticker")
}

// SIGTERM stops in order: who depends goes before whom it depends on.
func TestSIGTERMStopsInOrder(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {descriptor: "${DESCRIPTOR}", command: ["${SAMPLE}"]}
components:
  db: {}
  app: {dependsOn: [db]}
  web: {dependsOn: [app]}
`)
	p.running("db", "app", "web")
	p.signal(syscall.SIGTERM)
	if status := p.over(); status.ExitStatus() != 0 {
		t.Errorf("peerd: %s", describe(status))
	}
	p.nothingLives()
	p.run() // to read the history
	p.ready()
	ends := map[string]uint64{}
	starts := map[string]uint64{}
	for _, r := range p.events() {
		if r.Generation != 1 {
			continue
		}
		if r.To == lifecycle.Stopping && starts[r.Name] == 0 {
			starts[r.Name] = r.Seq
		}
		if r.Exit != nil {
			ends[r.Name] = r.Seq
			if *r.Exit != (exit{}) {
				t.Errorf("%s: %+v", r.Name, r)
			}
		}
	}
	if !(ends["web"] < starts["app"] && ends["app"] < starts["db"]) || ends["web"] == 0 {
		t.Errorf("stops began at %v, ended at %v", starts, ends)
	}
}

// A second SIGTERM hastens.
func TestASecondSIGTERMHastens(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  stubborn: {descriptor: "${DESCRIPTOR}", command: ["${SAMPLE}"], config: {ignoreShutdown: true}, componentStopWaitTime: 10m}
`)
	p.running("stubborn")
	p.signal(syscall.SIGTERM)
	p.until("stubborn", "is asked", func(i instance) bool { return i.State == "COMPONENT_STOP_TIME_WAIT" })
	p.signal(syscall.SIGTERM)
	p.over()
	p.nothingLives()
}

// SIGINT is as SIGTERM, and SIGHUP reloads.
func TestSIGINTStopsAndSIGHUPReloads(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	before := p.of("ticker")
	p.write(pair)
	p.signal(syscall.SIGHUP)
	p.waitFor("plain is there", func() bool { return p.ps()["plain"].Status == "running" })
	if now := p.of("ticker"); now.Pid != before.Pid {
		t.Errorf("ticker was %v and is %v", before, now)
	}
	p.signal(syscall.SIGINT)
	if status := p.over(); status.ExitStatus() != 0 {
		t.Errorf("peerd: %s", describe(status))
	}
	p.nothingLives()
}

// What an operator wants outlives peerd.
func TestAStoppedInstanceStaysDownOverARestartOfPeerd(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	p.must("stop", "plain")
	p.signal(syscall.SIGTERM)
	p.over()
	p.run()
	p.ready()
	p.running("ticker")
	if i := p.of("plain"); i.Status != "stopped" || i.Desired != "down" {
		t.Errorf("plain: %v", i)
	}
}

// kill -9 of a component: it is restarted by policy, and the history says so.
func TestAKilledComponentIsRestartedByPolicy(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {descriptor: "${DESCRIPTOR}", command: ["${SAMPLE}"]}
components:
  always: {restart: {policy: always, delay: 100ms, factor: 2, jitter: 0}}
  never: {restart: {policy: never}}
  limited: {restart: {policy: always, delay: 50ms, factor: 1, jitter: 0, limit: {count: 3, within: 1m}}}
`)
	p.running("always", "never", "limited")
	for generation := uint64(1); generation <= 3; generation++ {
		i := p.until("always", "runs", func(i instance) bool { return i.Generation == generation && i.Status == "running" })
		kill(t, i.Pid)
	}
	i := p.until("always", "runs again", func(i instance) bool { return i.Generation == 4 && i.Status == "running" })
	if i.Restarts != 3 || i.LastExit.Signal != "SIGKILL" {
		t.Errorf("always: %v", i)
	}
	deaths := 0
	for _, r := range p.history("always") {
		if r.Exit != nil {
			deaths++
			if r.To != lifecycle.Backoff || r.Exit.Code != -1 || r.Exit.Signal != "SIGKILL" || r.Cause != lifecycle.CauseExit {
				t.Errorf("a death: %+v", r)
			}
		}
	}
	if deaths != 3 {
		t.Errorf("%d deaths", deaths)
	}
	kill(t, p.of("never").Pid)
	p.is("never", "failed")
	for generation := uint64(1); generation <= 3; generation++ {
		kill(t, p.until("limited", "runs", func(i instance) bool { return i.Generation == generation && i.Status == "running" }).Pid)
	}
	if i := p.is("limited", "failed"); !strings.Contains(i.Reason, "limit 3 within 1m") {
		t.Errorf("beyond its limit: %v", i)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
