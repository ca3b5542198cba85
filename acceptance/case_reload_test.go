//go:build linux

package acceptance_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// A field of the profile, changed alone, and what a reload makes of it.
type change struct {
	field, text string
	want        string // restart or update
}

var changes = []change{
	{"command", `command: [/bin/sleep, "601"]`, "restart"},
	{"env", `env: {A: b}`, "restart"},
	{"workingDirectory", `workingDirectory: /`, "restart"},
	{"user", `user: nobody`, "restart"},
	{"osGroup", `osGroup: nogroup`, "restart"},
	{"stopSignal", `stopSignal: SIGINT`, "update"},
	{"checksum", `checksum: "${CHECKSUM}"`, "restart"},
	{"sandbox", `sandbox: {noNewPrivileges: true}`, "restart"},
	{"resources.nofile", `resources: {nofile: 512}`, "restart"},
	{"resources.nice", `resources: {nice: 5}`, "restart"},
	{"hooks", `hooks: {preStart: [/bin/true]}`, "update"},
	{"ready", `ready: {startSeconds: 20ms}`, "restart"},
	{"logs", `logs: {maxFiles: 3}`, "restart"},
	{"oneShot", `oneShot: true`, "restart"},
	{"restart", `restart: {delay: 2s}`, "update"},
	{"health", `health: {exec: [/bin/true], interval: 1s}`, "update"},
	{"loggers", `loggers: {root: debug}`, "update"},
	{"componentStopWaitTime", `componentStopWaitTime: 3s`, "update"},
	{"launchTimeout", `launchTimeout: 40s`, "update"},
	{"resources.pids", `resources: {pids: 100}`, "update"},
	{"resources.memory", `resources: {memory: 512MiB}`, "update"},
	{"resources.maxMemoryRestart", `resources: {maxMemoryRestart: 1GiB}`, "update"},
}

// applied is what ccpc reload prints.
type applied struct {
	Changes []struct {
		Name, Change string
		Fields       []string
	}
}

func (p *peerd) reload(args ...string) (a applied) {
	p.t.Helper()
	p.decode(p.must(append([]string{"reload", "-o", "json"}, args...)...), &a)
	return a
}

// An identical profile changes no pid; each field, changed alone, changes only
// the pid of its own instance, and that only where it must.
func TestCase33AReloadTouchesOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	base := func(more string) string {
		if more == "" || !strings.HasPrefix(more, "command:") {
			more = `command: [/bin/sleep, "600"]` + strings.TrimSuffix(", "+more, ", ")
		}
		if !strings.Contains(more, "ready:") {
			more += ", ready: {startSeconds: 10ms}"
		}
		return "components:\n  neighbour: {command: [/bin/sleep, '600']}\n  it: {" + more + "}\n"
	}
	p := prepare(t, base(""))
	p.env = append(p.env, "CHECKSUM=sha256:"+checksum(t, "/bin/sleep"))
	if err := os.Chmod(p.dir, 0o711); err != nil { // for the one who becomes nobody
		t.Fatal(err)
	}
	p.run()
	p.ready()
	p.running("it", "neighbour")
	neighbour := p.pids("neighbour")
	before := p.pids()
	if a := p.reload(); len(a.Changes) != 0 {
		t.Errorf("an identical profile changes %+v", a)
	}
	p.put("profile.yaml", "# a comment\n"+head+base(""))
	p.reload()
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("an identical profile: were %v and are %v", before, now)
	}
	for _, c := range changes {
		t.Run(c.text, func(t *testing.T) {
			if os.Geteuid() != 0 && (c.field == "user" || c.field == "osGroup") {
				t.Skip("only root can be somebody else")
			}
			old := p.of("it")
			p.write(base(c.text))
			a := p.reload("--dry-run")
			if len(a.Changes) > 1 || len(a.Changes) == 1 && (a.Changes[0].Name != "it" || a.Changes[0].Change != c.want || !slices.Contains(a.Changes[0].Fields, c.field)) {
				t.Errorf("it is told to become %+v", a.Changes)
			}
			p.reload()
			if c.want == "restart" {
				p.generation("it", old.Generation+1)
			} else if now := p.of("it"); now.Generation != old.Generation || now.Pid != old.Pid {
				t.Errorf("was %v and is %v", old, now)
			}
			p.write(base(""))
			p.reload()
			if c.want == "restart" {
				p.generation("it", old.Generation+2)
			}
		})
	}
	if now := p.pids("neighbour"); !maps.Equal(now, neighbour) {
		t.Errorf("the neighbour was %v and is %v", neighbour, now)
	}
}

// What is removed while it runs stops by its old rules and leaves the list.
func TestCase34RemovedWhileItRuns(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {workingDirectory: .}
components:
  stays: {command: [/bin/sleep, "600"]}
  goes: {command: `+script("trap 'sleep 0.3; echo USR1 >how; exit 0' USR1; echo armed; while :; do sleep 0.05; done")+`, `+armed+`, stopSignal: SIGUSR1, componentStopWaitTime: 20s}
`)
	p.running("stays", "goes")
	stays := p.pids("stays")
	p.write("components: {stays: {command: [/bin/sleep, '600']}}\ndefaults: {workingDirectory: .}\n")
	p.reload()
	p.waitFor("it is gone from the list", func() bool { _, there := p.ps()["goes"]; return !there })
	if how, _ := os.ReadFile(p.path("how")); string(how) != "USR1\n" {
		t.Errorf("it was stopped otherwise: %q", how)
	}
	if now := p.pids("stays"); !maps.Equal(now, stays) {
		t.Errorf("stays was %v and is %v", stays, now)
	}
	if r := p.ccpc("ps", "goes"); r.code != 3 {
		t.Errorf("it is still known: %v", r)
	}
}

// An invalid file is refused with its lines, and the old plan lives on.
func TestCase35AnInvalidReloadChangesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, `components: {a: {command: [/bin/sleep, "600"]}}`)
	p.running("a")
	before := p.pids()
	p.write("components:\n  a: {command: [/bin/sleep, '601'], restart: {policy: sometimes}}\n  b: {comand: [/bin/true]}\n")
	r := p.ccpc("reload")
	for _, words := range []string{"profile.yaml:4:", "restart.policy", "always", "profile.yaml:5:", "comand", "command"} {
		if r.code != 7 || !strings.Contains(r.stderr, words) {
			t.Errorf("want exit code 7 and %q: %v", words, r)
		}
	}
	if status := p.must("status", "-o", "json"); !strings.Contains(status, "sometimes") {
		t.Errorf("status is silent: %s", status)
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
	p.write(`components: {a: {command: [/bin/sleep, "600"]}}`)
	p.reload()
	if status := p.must("status", "-o", "json"); strings.Contains(status, "sometimes") {
		t.Errorf("status still complains: %s", status)
	}
}

func TestCase36FiftyRestartsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, `components: {a: {command: `+script("trap 'sleep 0.2; exit 0' TERM; echo armed; while :; do sleep 0.05; done")+`, `+armed+`}}`)
	p.running("a")
	results := make([]result, 50)
	var wg sync.WaitGroup
	for n := range results {
		wg.Go(func() { results[n] = p.ccpc("restart", "a") })
	}
	wg.Wait()
	for _, r := range results {
		if r.code != 0 {
			t.Errorf("a restart: %v", r)
		}
	}
	i := p.of("a")
	if i.Status != "running" || i.Generation < 2 {
		t.Errorf("a: %v", i)
	}
	leaders := 0
	for _, pid := range p.processes() {
		if strings.Contains(commandOf(pid), "armed") {
			leaders++
		}
	}
	if leaders != 1 {
		t.Errorf("%d processes", leaders)
	}
}

// Atomic renames, symbolic links that are swapped, and rapid rewrites are all
// seen without being told, and the last word counts.
func TestAReloadByTheFileSystem(t *testing.T) {
	t.Parallel()
	p := prepare(t, "")
	version := func(n int) string {
		return head + fmt.Sprintf("components: {a: {command: [/bin/sleep, '%d']}}\n", 600+n)
	}
	for n := range 2 {
		if err := os.MkdirAll(p.path(fmt.Sprintf("v%d", n)), 0o755); err != nil {
			t.Fatal(err)
		}
		p.put(fmt.Sprintf("v%d/profile.yaml", n), strings.NewReplacer("stateDir: state", "stateDir: "+p.path("state"), "runtimeDir: run", "runtimeDir: "+p.path("run")).Replace(version(n)))
	}
	link := func(n int) {
		if err := os.Symlink(fmt.Sprintf("v%d", n), p.path("next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(p.path("next"), p.path("current")); err != nil {
			t.Fatal(err)
		}
	}
	link(0)
	p.profile = p.path("current/profile.yaml")
	p.run()
	p.ready()
	runs := func(n int) {
		t.Helper()
		p.waitFor(fmt.Sprintf("version %d runs", n), func() bool {
			i := p.of("a")
			return i.Status == "running" && strings.HasSuffix(commandOf(i.Pid), fmt.Sprint(600+n))
		})
	}
	runs(0)
	link(1)
	runs(1)
	text, err := os.ReadFile(p.path("v1/profile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 60; n++ {
		p.put("v1/profile.yaml", strings.Replace(string(text), "'601'", fmt.Sprintf("'%d'", 600+n), 1))
	}
	runs(59)
	if g := p.of("a").Generation; g > 20 {
		t.Errorf("rapid rewrites led to %d generations", g)
	}
}

// What changes live is in force: a new stop wait time and a new restart policy
// need no new process.
func TestLiveChangesAreInForce(t *testing.T) {
	t.Parallel()
	profile := func(more string) string {
		return "components: {a: {command: " + deafShell + ", " + armed + more + "}}\n"
	}
	p := start(t, profile(", componentStopWaitTime: 1h"))
	p.running("a")
	p.write(profile(", componentStopWaitTime: 1s, restart: {policy: never}"))
	p.reload()
	if i := p.of("a"); i.Generation != 1 {
		t.Errorf("a: %v", i)
	}
	p.must("stop", "a")
	if took := p.stopTook("a"); took > 4*1e9 {
		t.Errorf("the stop took %v of 1s", took)
	}
	p.must("start", "a")
	p.strike("a", syscall.SIGKILL)
	p.is("a", lifecycle.Failed.String())
}
