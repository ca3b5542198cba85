//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

func TestCase10WhichEndsAreRestarted(t *testing.T) {
	t.Parallel()
	ends := map[string]string{"zero": "exit 0", "three": "exit 3", "killed": "kill -KILL $$"}
	policies := map[string]string{
		"always": "policy: always", "failure": "policy: onFailure", "codes": "policy: onFailure, exitCodes: [3]",
		"signals": "policy: onFailure, signals: [SIGKILL]", "never": "policy: never",
	}
	// What each end leads to under each policy; all restarts end in failed by
	// the limit, after two generations.
	want := map[string]map[string]string{
		"zero":   {"always": "again", "failure": "completed", "codes": "completed", "signals": "completed", "never": "completed"},
		"three":  {"always": "again", "failure": "again", "codes": "again", "signals": "failed", "never": "failed"},
		"killed": {"always": "again", "failure": "again", "codes": "failed", "signals": "again", "never": "failed"},
	}
	var body strings.Builder
	body.WriteString("defaults: {ready: {startSeconds: 1m}}\ncomponents:\n")
	for end, command := range ends {
		for name, policy := range policies {
			fmt.Fprintf(&body, "  %s-%s: {command: %s, restart: {%s, delay: 1ms, limit: {count: 2, within: 1h}}}\n", end, name, script(command), policy)
		}
	}
	p := start(t, body.String())
	for end, byPolicy := range want {
		for policy, outcome := range byPolicy {
			status, generation := outcome, uint64(1)
			if outcome == "again" {
				status, generation = "failed", 2
			}
			name := end + "-" + policy
			if i := p.is(name, status); i.Generation != generation {
				t.Errorf("%s: want %s: %v", name, outcome, i)
			}
		}
	}
}

func TestCase11TheBackoffGrowsAndVaries(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	body.WriteString("components:\n  grows: {command: [/bin/false], ready: {startSeconds: 1m}, restart: {delay: 100ms, factor: 2, maxDelay: 400ms, jitter: 0.2, limit: {count: 1000, within: 1s}}}\n")
	for n := range 12 {
		fmt.Fprintf(&body, "  v%d: {command: [/bin/false], ready: {startSeconds: 1m}, restart: {delay: 100s, factor: 2, maxDelay: 400s, jitter: 0.2}}\n", n)
	}
	p := start(t, body.String())
	p.until("grows", "has backed off often", func(i instance) bool { return i.Generation >= 7 })
	delays := backoffs(p.history("grows"))
	for n, low := range []time.Duration{80, 160, 320, 320, 320, 320} {
		if delays[n] < low*time.Millisecond {
			t.Errorf("backoff %d was %v, at least %d ms is promised", n, delays[n], low)
		}
	}
	p.waitFor("all have ended", func() bool {
		return !slices.ContainsFunc(p.timings(), func(r timing) bool { return r.Name != "grows" && r.NextStartAt == nil })
	})
	different := map[time.Duration]bool{}
	for _, r := range p.timings() {
		if r.Name == "grows" {
			continue
		}
		delay := r.NextStartAt.Sub(r.LastExit.At)
		if delay < 80*time.Second-time.Second || delay > 120*time.Second+time.Second {
			t.Errorf("%s waits %v, want 80 s to 120 s", r.Name, delay)
		}
		different[delay.Round(10*time.Millisecond)] = true
	}
	if len(different) < 2 {
		t.Errorf("twelve delays and no jitter: %v", different)
	}
}

// backoffs are the times spent in backoff.
func backoffs(history []record) (all []time.Duration) {
	for n, r := range history {
		if n > 0 && r.From == lifecycle.Backoff {
			all = append(all, r.At.Sub(history[n-1].At))
		}
	}
	return all
}

func TestCase12AStableRunStartsTheBackoffOver(t *testing.T) {
	t.Parallel()
	const command = "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n; [ $n = 2 ] && sleep 1; [ $n -ge 3 ] && exec sleep 600; exit 1"
	p := start(t, `
defaults: {workingDirectory: ., ready: {startSeconds: 10ms}}
components:
  a: {command: `+script(command)+`, restart: {delay: 200ms, factor: 100, maxDelay: 1h, jitter: 0, resetAfter: 500ms}}
`)
	// Without the reset the second backoff would be 20 s.
	i := p.generation("a", 3)
	if delays := backoffs(p.history("a")); i.Restarts != 2 || len(delays) != 2 || delays[1] < 200*time.Millisecond {
		t.Errorf("%v, backoffs %v", i, delays)
	}
}

func TestCase13ACrashLoopFailsAndAManualStartClearsIt(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {ready: {startSeconds: 1m}}
components:
  a: {command: [/bin/false], restart: {delay: 1ms, maxDelay: 5ms, limit: {count: 5, within: 1h}}}
`)
	for _, generation := range []uint64{5, 10} {
		i := p.is("a", "failed")
		if i.Generation != generation || !strings.Contains(i.Reason, "ended 5 times within") {
			t.Fatalf("want failed in generation %d: %v", generation, i)
		}
		if r := p.ccpc("start", "a"); r.code != 1 {
			t.Errorf("a start that fails: %v", r)
		}
		p.until("a", "has tried again", func(i instance) bool { return i.Generation == generation+5 && i.Status == "failed" })
	}
}

func TestCase14WhatAnOperatorDoesIsNoCrash(t *testing.T) {
	t.Parallel()
	p := start(t, `components: {a: {command: [/bin/sleep, "600"], restart: {delay: 1ms, limit: {count: 2, within: 1h}}}}`)
	p.running("a")
	for range 4 {
		p.must("restart", "a")
		p.must("stop", "a")
		p.must("start", "a")
		p.must("kill", "a")
		p.must("start", "a")
	}
	if i := p.of("a"); i.Restarts != 0 || i.Status != "running" {
		t.Errorf("a: %v", i)
	}
	g := p.of("a").Generation
	p.strike("a", syscall.SIGKILL)
	if i := p.generation("a", g+1); i.Restarts != 1 {
		t.Errorf("after one crash: %v", i)
	}
}

func TestCase15AManualStartEndsALongBackoff(t *testing.T) {
	t.Parallel()
	const command = "[ -e go ] && exec sleep 600; exit 1"
	p := start(t, `
defaults: {workingDirectory: .}
components:
  a: {command: `+script(command)+`, ready: {startSeconds: 50ms}, restart: {delay: 24h, maxDelay: 24h}}
`)
	p.is("a", "backoff")
	p.put("go", "")
	p.must("start", "a")
	if i := p.of("a"); i.Generation != 2 || i.Status != "running" {
		t.Errorf("a: %v", i)
	}
}

func TestCase26AMissingExecutableIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := prepare(t, `components: {a: {command: [./tool, "600"], restart: {delay: 20ms, maxDelay: 100ms}}}`)
	tool := p.path("tool")
	program, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	put := func() {
		p.put("tool", string(program))
		if err := os.Chmod(tool, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put()
	p.run()
	p.ready()
	p.running("a")
	if err := os.Remove(tool); err != nil {
		t.Fatal(err)
	}
	p.strike("a", syscall.SIGKILL)
	p.until("a", "cannot be spawned, again and again", func(i instance) bool {
		return i.Generation > 3 && i.Status == "backoff" && strings.Contains(i.Reason, "no such file")
	})
	put()
	p.running("a")
}

// A peer with hardly any file descriptors: what cannot be spawned is tried
// again, and control answers.
func TestCase27DescriptorsRunOut(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	body.WriteString("defaults: {restart: {delay: 50ms, maxDelay: 200ms}}\ncomponents:\n")
	for n := range 22 {
		fmt.Fprintf(&body, "  c%02d: {command: [/bin/sleep, '600']}\n", n)
	}
	p := prepare(t, body.String())
	p.wrap = []string{"/bin/sh", "-c", `ulimit -n 160; exec "$@"`, "sh"}
	p.run()
	p.ready()
	short := func(i instance) bool { return strings.Contains(i.Reason, "too many open files") }
	p.waitFor("some cannot be spawned", func() bool { return countOf(p.ps(), short) > 0 })
	running := func(i instance) bool { return i.Status == "running" }
	p.waitFor("some run", func() bool { return countOf(p.ps(), running) > 5 })
	all := p.ps()
	for name, i := range all {
		if i.Status == "running" && countOf(p.ps(), short) > 0 {
			p.must("stop", name)
		}
	}
	p.waitFor("what is left runs", func() bool {
		return countOf(p.ps(), func(i instance) bool { return i.Desired == "up" && i.Status != "running" }) == 0
	})
}

func countOf(all map[string]instance, fits func(instance) bool) (n int) {
	for _, i := range all {
		if fits(i) {
			n++
		}
	}
	return n
}
