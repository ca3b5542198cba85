//go:build linux

package acceptance_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// versions are two peerds that differ in their version alone, each with its
// keeper beside it.
var versions = sync.OnceValues(func() (paths [2]string, err error) {
	for i := range paths {
		dir := filepath.Join(bin, fmt.Sprintf("v%d", i+1))
		flags := fmt.Sprintf("-X github.com/seed-04209a44/peerd/internal/version.released=%s", versionOf(i))
		build := exec.Command("go", "build", "-ldflags", flags, "-o", dir+"/", "./cmd/peerd", "./cmd/peerd-keeper")
		build.Dir = ".."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return paths, fmt.Errorf("%w: %s", err, out)
		}
		paths[i] = filepath.Join(dir, "peerd")
	}
	return paths, nil
})

func versionOf(i int) string { return fmt.Sprintf("1.%d.0", i+1) }

// version is one of the two.
func version(t *testing.T, i int) string {
	t.Helper()
	paths, err := versions()
	if err != nil {
		t.Fatal(err)
	}
	return paths[i]
}

// self is what the tests read of status.
type self struct {
	Version       string   `json:"version"`
	Pid           int      `json:"pid"`
	KeeperPid     int      `json:"keeperPid"`
	KeeperVersion string   `json:"keeperVersion"`
	Degraded      []string `json:"degraded"`
}

func (p *peerd) self() (s self) {
	p.t.Helper()
	p.decode(p.must("status", "-o", "json"), &s)
	return s
}

// throng are the components of an upgrade under load: those that nobody touches,
// the toys of each worker, one that ends all the time, and one that counts.
func throng(untouched, toys int) string {
	var body strings.Builder
	fmt.Fprintf(&body, "components:%s", ticker)
	for n := range untouched {
		switch n % 3 {
		case 0:
			fmt.Fprintf(&body, "  c%d: {descriptor: \"${DESCRIPTOR}\", command: [\"${SAMPLE}\"]}\n", n)
		case 1:
			fmt.Fprintf(&body, "  c%d: {command: [/bin/sleep, \"620\"]}\n", n)
		case 2:
			fmt.Fprintf(&body, "  c%d: {command: [/bin/sh, -c, \"while :; do sleep 1; done\"], health: {exec: [/bin/true], interval: 500ms}}\n", n)
		}
	}
	for n := range toys {
		fmt.Fprintf(&body, "  toy%d: {command: [/bin/sh, -c, \"trap 'sleep 0.1; exit 0' TERM; while :; do sleep 0.02; done\"], ready: {startSeconds: 300ms}}\n", n)
	}
	body.WriteString(`  short: {command: [/bin/sh, -c, "sleep 0.3; exit 37"], restart: {delay: 50ms, maxDelay: 50ms, limit: {count: 0}}}
  counter: {command: [/bin/sh, -c, "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"]}
`)
	return body.String()
}

// Issue 4: upgrades and downgrades under constant commands: nobody is restarted,
// no exit is missed, and every command has its answer.
func TestUpgradesUnderLoad(t *testing.T) {
	t.Parallel()
	const workers = 3
	p := start(t, throng(rounds(10, 50), workers))
	p.waitFor("all run", func() bool {
		return !slices.ContainsFunc(slices.Collect(maps.Values(p.ps())), func(i instance) bool { return i.Status != "running" && i.Name != "short" })
	})
	untouched := p.pids()
	maps.DeleteFunc(untouched, func(name string, _ [2]uint64) bool {
		return name == "short" || strings.HasPrefix(name, "toy")
	})
	pid, keeper := p.self().Pid, p.keeperPid()
	load := p.load(workers)
	for round := range rounds(4, 20) {
		next := round % 2
		before := load.answered.Load()
		p.must("upgrade", version(t, next), "-o", "json")
		now := p.self()
		if now.Version != versionOf(next) || now.Pid != pid || now.Pid != p.cmd.Process.Pid || now.KeeperPid != keeper || now.KeeperVersion != now.Version {
			t.Errorf("round %d: %+v, the pid was %d", round, now, pid)
		}
		p.checkLives(untouched)
		p.waitFor("commands are answered", func() bool { return load.answered.Load() >= before+workers || t.Failed() })
		if t.Failed() {
			t.Errorf("in round %d", round)
			break
		}
	}
	load.end()
	t.Logf("%d commands were answered", load.answered.Load())
	p.must("start", "toy0", "toy1", "toy2")
	p.checkLives(untouched)
	p.countedOnce(load.events, load.lines)
}

// load is what goes on while a peer is upgraded.
type load struct {
	p        *peerd
	stop     chan struct{}
	workers  sync.WaitGroup
	answered atomic.Int64
	follow   []*exec.Cmd
	events   []record // as `events -f` told them
	lines    []string // as `logs -f` told them
}

// load has each worker give commands without a pause, and follows the journal
// and a log.
func (p *peerd) load(workers int) *load {
	p.t.Helper()
	l := &load{p: p, stop: make(chan struct{})}
	for n := range workers {
		l.workers.Go(func() { l.work(fmt.Sprintf("toy%d", n)) })
	}
	l.tail(func(line string) {
		var r record
		p.decode(line, &r)
		l.events = append(l.events, r)
	}, "events", "-f", "-o", "json")
	l.tail(func(line string) { l.lines = append(l.lines, line) }, "logs", "-f", "counter")
	return l
}

// work gives every kind of command in turn.
func (l *load) work(toy string) {
	verbs := [][]string{
		{"restart", toy},
		{"ps"},
		{"stop", toy},
		{"start", toy},
		{"report-state", "ticker"},
		{"get", toy},
		{"data", "ticker", "memory", "--count", "3", "--interval", "30ms"},
		{"history", toy},
		{"kill", toy},
		{"start", toy},
		{"reload"},
		{"set-loglevel", "ticker", "info"},
		{"status"},
		{"graph"},
	}
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		if r := l.p.ccpc(verbs[n%len(verbs)]...); r.code != 0 {
			l.p.t.Errorf("not answered as it should be: %v", r)
			return
		}
		l.answered.Add(1)
	}
}

// tail follows a stream, whose lines are the goroutine's until end.
func (l *load) tail(each func(line string), args ...string) {
	cmd := exec.Command(program("ccpc"), args...)
	cmd.Env, cmd.Dir = l.p.env, l.p.dir
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.p.t.Fatal(err)
	}
	l.follow = append(l.follow, cmd)
	l.workers.Go(func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			each(lines.Text())
		}
	})
}

func (l *load) end() {
	l.p.t.Helper()
	close(l.stop)
	for _, cmd := range l.follow {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			l.p.t.Errorf("%v ended before its time: %v", cmd.Args, err)
		}
	}
	l.workers.Wait()
	for _, cmd := range l.follow {
		if err := cmd.Wait(); err != nil {
			l.p.t.Errorf("%v: %v", cmd.Args, err)
		}
	}
}

// countedOnce wants streams that were followed across upgrades to have every
// record and every line once.
func (p *peerd) countedOnce(events []record, lines []string) {
	p.t.Helper()
	for i, r := range events {
		if want := events[0].Seq + uint64(i); r.Seq != want {
			p.t.Fatalf("record %d follows %d", r.Seq, want-1)
		}
	}
	if len(events) == 0 || len(lines) == 0 {
		p.t.Fatalf("%d records and %d lines were followed", len(events), len(lines))
	}
	first, err := strconv.Atoi(lines[0])
	if err != nil {
		p.t.Fatal(err)
	}
	for i, line := range lines {
		if line != strconv.Itoa(first+i) {
			p.t.Fatalf("line %d is %q", first+i, line)
		}
	}
}

// A restart, a start and a stop that are under way are finished by the next
// program, and whoever waits for them is told.
func TestCommandsOutliveAnUpgrade(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  slow: {command: [/bin/sh, -c, "trap 'while [ ! -e down ]; do sleep 0.02; done; rm down; exit 0' TERM; while :; do sleep 0.02; done"],
    ready: {exec: [/usr/bin/test, -e, up]}, componentStopWaitTime: 10m, launchTimeout: 10m}
  waits: {command: [/bin/sleep, "600"], dependsOn: [slow]}
  rests: {command: [/bin/sh, -c, "exit 3"], restart: {delay: 1h, maxDelay: 1h}}
  done: {command: [/bin/true], restart: {policy: never}}
defaults: {workingDirectory: .}
`)
	p.is("slow", "starting")
	p.is("rests", "backoff")
	p.is("done", "completed")
	told := make(chan result, 3)
	give := func(args ...string) { go func() { told <- p.ccpc(args...) }() }
	give("start", "slow")
	p.must("upgrade", version(t, 0))
	p.put("up", "")
	if r := <-told; r.code != 0 || !strings.Contains(r.stdout, "started") {
		t.Errorf("start: %v", r)
	}
	p.running("slow", "waits")
	first := p.of("slow")
	give("restart", "slow")
	p.is("slow", "stopping")
	p.must("upgrade", version(t, 1))
	p.is("slow", "stopping")
	p.put("down", "")
	if r := <-told; r.code != 0 || !strings.Contains(r.stdout, "started") {
		t.Errorf("restart: %v", r)
	}
	if now := p.of("slow"); now.Generation != first.Generation+1 {
		t.Errorf("restart: was %v and is %v", first, now)
	}
	give("stop", "slow")
	p.is("slow", "stopping")
	p.must("upgrade", version(t, 0))
	p.put("down", "")
	if r := <-told; r.code != 0 || !strings.Contains(r.stdout, "stopped") {
		t.Errorf("stop: %v", r)
	}
	if i := p.of("rests"); i.Status != "backoff" || i.Generation != 1 {
		t.Errorf("rests: %v", i)
	}
	if i := p.of("done"); i.Status != "completed" || i.Generation != 1 {
		t.Errorf("done: %v", i)
	}
}

// What a process says by sd_notify while peerd becomes another one is heard by
// the one or the other, and a hook that is under way is waited for.
func TestNotificationsOutliveAnUpgrade(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed; see .ci/programs")
	}
	const say = `import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(w): s.sendto(w.encode(), os.environ['NOTIFY_SOCKET'])
n = 0
while not os.path.exists('ready'):
    n += 1
    say('STATUS=%d' % n)
    time.sleep(0.01)
say('READY=1')
time.sleep(3600)
`
	p := prepare(t, "")
	p.put("say.py", say)
	p.write(`
defaults: {workingDirectory: ., launchTimeout: 10m}
components:
  says: {command: [python3, say.py], ready: {notify: true}}
  hooked: {command: [/bin/sleep, "600"], hooks: {postStart: [/bin/sh, -c, "echo began >> hook; while [ ! -e go ]; do sleep 0.02; done; echo ended >> hook"]}}
`)
	p.run()
	p.ready()
	p.running("hooked")
	p.until("says", "speaks", func(i instance) bool { return i.Status == "starting" && i.Says != "" })
	p.waitFor("the hook begins", func() bool { _, err := os.Stat(p.path("hook")); return err == nil })
	p.refused(4, "postStart hook", "upgrade", version(t, 0), "--timeout", "300ms")
	p.put("go", "")
	for n := range 4 {
		p.must("upgrade", version(t, n%2))
	}
	told := make(chan result, 1)
	go func() { told <- p.ccpc("upgrade", version(t, 0)) }()
	p.put("ready", "")
	if r := <-told; r.code != 0 {
		t.Errorf("%v", r)
	}
	if i := p.until("says", "runs", func(i instance) bool { return i.Status == "running" }); i.Generation != 1 {
		t.Errorf("%v", i)
	}
	if text, err := os.ReadFile(p.path("hook")); err != nil || string(text) != "began\nended\n" {
		t.Errorf("the hook: %q, %v", text, err)
	}
}

// An upgrade of the file that peerd was started from needs no name, and a stop
// that comes on its heels is not lost.
func TestUpgradeInPlaceAndStop(t *testing.T) {
	t.Parallel()
	p := prepare(t, survivors)
	own := p.path("peerd")
	install := func(from string) {
		t.Helper()
		if err := errors.Join(os.Link(from, own+".new"), os.Rename(own+".new", own)); err != nil {
			t.Fatal(err)
		}
	}
	install(version(t, 0))
	p.wrap = []string{"/bin/sh", "-c", `shift; exec ` + own + ` "$@"`, "sh"}
	p.run()
	p.ready()
	p.running("ticker", "plain", "ends")
	install(version(t, 1))
	p.must("upgrade")
	if now := p.self(); now.Version != versionOf(1) {
		t.Errorf("%+v", now)
	}
	install(version(t, 0))
	told := make(chan result, 1)
	go func() { told <- p.ccpc("upgrade") }()
	p.waitFor("the upgrade begins", func() bool { return strings.Count(p.log(), "upgrade begins") == 2 })
	p.signal(syscall.SIGTERM)
	if status := p.over(); status.ExitStatus() != 0 {
		t.Errorf("peerd: %s", describe(status))
	}
	<-told // it was answered, or the peer was gone before
	p.none()
}
