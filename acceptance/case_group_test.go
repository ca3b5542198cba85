//go:build linux

package acceptance_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// group makes a profile of members a, b, c of one group, which start and stop
// in a measurable time.
func group(conf string) string {
	member := script("trap 'sleep 0.1; exit 0' TERM; sleep 0.1; echo armed; while :; do sleep 0.05; done")
	var body strings.Builder
	fmt.Fprintf(&body, "defaults: {group: g, %s, restart: {delay: 10ms, limit: {count: 100, within: 1s}}}\ngroups: {g: %s}\ncomponents:\n", armed, conf)
	for _, name := range []string{"a", "b", "c"} {
		fmt.Fprintf(&body, "  %s: {command: %s}\n", name, member)
	}
	return body.String()
}

func TestCase16OneForAll(t *testing.T) {
	t.Parallel()
	p := start(t, group("{strategy: oneForAll, intensity: 5, period: 1m}"))
	p.running("a", "b", "c")
	before := p.last()
	p.strike("b", syscall.SIGKILL)
	for _, name := range []string{"a", "b", "c"} {
		p.generation(name, 2)
	}
	if got := strings.Join(p.milestones(before, "a", "b", "c"), " "); got != "-b -c -a +a +b +c" {
		t.Errorf("order: %s", got)
	}
}

func TestCase17RestForOne(t *testing.T) {
	t.Parallel()
	p := start(t, group("{strategy: restForOne, intensity: 5, period: 1m}"))
	p.running("a", "b", "c")
	before := p.last()
	p.strike("b", syscall.SIGKILL)
	p.generation("b", 2)
	p.generation("c", 2)
	if got := strings.Join(p.milestones(before, "a", "b", "c"), " "); got != "-b -c +b +c" {
		t.Errorf("order: %s", got)
	}
	if i := p.of("a"); i.Generation != 1 {
		t.Errorf("a: %v", i)
	}
}

// A member that crashes while its group restarts counts once more; beyond the
// intensity the whole group has failed, and says so, once.
func TestCase18ASiblingFailsWhileTheGroupRestarts(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {workingDirectory: ., group: g, restart: {delay: 10ms, limit: {count: 100, within: 1s}}}
groups: {g: {strategy: oneForAll, intensity: 2, period: 1h}}
components:
  a: {command: [/bin/sleep, "600"]}
  b: {command: `+script("[ -e bad ] && exit 7; exec sleep 600")+`, ready: {startSeconds: 50ms}}
`)
	p.running("a", "b")
	p.put("bad", "")
	p.strike("a", syscall.SIGKILL)
	for _, name := range []string{"a", "b"} {
		i := p.is(name, "failed")
		if !strings.Contains(i.Reason, "group acc/g failed: 3 ends within 1h0m0s, the last of b") {
			t.Errorf("%s: %v", name, i)
		}
		ends := 0
		for _, r := range p.history(name) {
			if r.To == lifecycle.Failed {
				ends++
			}
		}
		if ends != 1 {
			t.Errorf("%s failed %d times: %+v", name, ends, p.history(name))
		}
	}
	p.none()
	if err := os.Remove(p.path("bad")); err != nil {
		t.Fatal(err)
	}
	p.must("start", "a", "b")
	if i := p.of("a"); i.Reason != "" {
		t.Errorf("a start does not clear it: %v", i)
	}
}

func TestCase19TheGroupsFailureEndsThePeer(t *testing.T) {
	t.Parallel()
	p := start(t, `
groups: {vital: {strategy: oneForOne, intensity: 1, period: 1h, onFailure: stopPeer}}
components:
  vital: {command: [/bin/sleep, "600"], group: vital, restart: {delay: 10ms}}
  other: {command: [/bin/sleep, "600"]}
`)
	p.running("vital", "other")
	p.strike("vital", syscall.SIGKILL)
	p.generation("vital", 2)
	p.strike("vital", syscall.SIGKILL)
	if status := p.over(); status.ExitStatus() != 1 {
		t.Errorf("peerd ended with %s, want exit code 1", describe(status))
	}
	log := lines(p.log())
	last := log[len(log)-1]
	if !strings.HasPrefix(last, "peerd: ") || !strings.Contains(last, "group acc/vital failed") {
		t.Errorf("its last word: %s", last)
	}
	p.none()
}

// The members of a failed group stay down until somebody starts them.
func TestAFailedGroupStaysDown(t *testing.T) {
	t.Parallel()
	p := start(t, group("{strategy: oneForOne, intensity: 1, period: 1h}"))
	p.running("a", "b", "c")
	p.strike("a", syscall.SIGKILL)
	p.generation("a", 2)
	p.strike("a", syscall.SIGKILL)
	for _, name := range []string{"a", "b", "c"} {
		if i := p.is(name, "failed"); !strings.Contains(i.Reason, "group acc/g failed") || i.Desired != "up" {
			t.Errorf("%s: %v", name, i)
		}
	}
	var causes []lifecycle.Cause
	for _, r := range p.history("c") {
		if r.To == lifecycle.Stopping || r.To == lifecycle.Failed {
			causes = append(causes, r.Cause)
		}
	}
	if !slices.Equal(causes, []lifecycle.Cause{lifecycle.CauseDependency, lifecycle.CauseExit}) {
		t.Errorf("how c went down: %v", causes)
	}
	p.must("start", "--group", "g")
	p.running("a", "b", "c")
}
