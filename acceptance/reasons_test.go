//go:build linux

package acceptance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A working directory that its user may not enter is what the reason names, with
// the folder that is closed, and not the program.
func TestAClosedWorkingDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a component as another user")
	}
	p := prepare(t, `
defaults: {restart: {policy: never}}
components:
  closed: {command: [/bin/sleep, "600"], user: nobody, workingDirectory: closed/within}
  file: {command: [/bin/sleep, "600"], workingDirectory: profile.yaml}
  program: {command: [./closed/program]}
`)
	if err := os.MkdirAll(p.path("closed/within"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"": 0o755, "closed": 0o700} {
		if err := os.Chmod(p.path(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	p.put("program", "no program")
	if err := os.Rename(p.path("program"), p.path("closed/program")); err != nil {
		t.Fatal(err)
	}
	p.run()
	p.ready()
	for name, words := range map[string]string{
		"closed": fmt.Sprintf("working directory %q, at %s: permission denied", p.path("closed/within"), p.path("closed")),
		"file":   fmt.Sprintf("working directory %q, at %s: not a directory", p.path("profile.yaml"), p.path("profile.yaml")),
	} {
		if i := p.is(name, "failed"); !strings.Contains(i.Reason, words) {
			t.Errorf("%s: want %q: %v", name, words, i)
		}
	}
	if i := p.is("program", "failed"); !strings.Contains(i.Reason, "permission denied") || strings.Contains(i.Reason, "working directory") {
		t.Errorf("program: %v", i)
	}
}

// What is too long is said to be so, with the limit.
func TestAPayloadBeyondTheLimit(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	cmd := exec.Command(program("ccpc"), "send", "ticker", "GREET", "-")
	cmd.Stdin = bytes.NewReader(append(bytes.Repeat([]byte(" "), 20_000_000), '{', '}'))
	if r := p.finish(cmd); r.code != 7 || !strings.Contains(r.stderr, "standard input is larger than 1048576 bytes") {
		t.Errorf("want the limit: %v", r)
	}
}

// A logger that the profile does not name any more goes by the root's level
// again, in the component that runs.
func TestALoggerThatIsNamedNoMore(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker+"    loggers: {extra: trace, root: warn}\n")
	p.running("ticker")
	before := p.pids()
	level := func(logger string) string {
		var d struct{ Data map[string]string }
		p.decode(p.must("data", "ticker", "loglevels", "-o", "json"), &d)
		return d.Data[logger]
	}
	p.waitFor("the levels of the profile", func() bool { return level("extra") == "trace" && level("root") == "warn" })
	p.write("components:" + ticker + "    loggers: {root: warn}\n")
	p.waitFor("extra goes by root", func() bool { return level("extra") == "warn" })
	p.write("components:" + ticker)
	p.waitFor("root is as it begins", func() bool { return level("root") == "info" })
	if now := p.pids(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// pidsLimit is the number of processes that the kernel allows an instance; "":
// where the host keeps it is not known.
func (p *peerd) pidsLimit(name string) string {
	p.t.Helper()
	b, _ := os.ReadFile(p.pidsFile(name))
	return strings.TrimSpace(string(b))
}

// pidsFile is where the kernel shows it.
func (p *peerd) pidsFile(name string) string {
	p.t.Helper()
	cgroups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.of(name).Pid))
	for line := range strings.Lines(string(cgroups)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for _, base := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/" + part[1], "/sys/fs/cgroup/unified"} {
			file := filepath.Join(base, part[2], "pids.max")
			if _, err := os.Stat(file); err == nil && (part[1] == "" || part[1] == "pids") {
				return file
			}
		}
	}
	return ""
}

// A limit that cannot be changed live is said to be so, in status and in the
// history, until it is in force.
func TestALimitThatCannotBeEnforced(t *testing.T) {
	t.Parallel()
	text := func(pids int) string {
		return fmt.Sprintf(`
components: {a: {command: [/bin/sleep, "600"], resources: {pids: %d}}}
`, pids)
	}
	p := start(t, text(50))
	if i := p.until("a", "runs or failed", func(i instance) bool { return i.Status == "running" || i.Status == "failed" }); i.Status == "failed" {
		t.Skipf("this host cannot limit processes: %s", i.Reason)
	}
	file := p.pidsFile("a")
	if file == "" {
		t.Skip("where this host keeps the limit is not known")
	}
	if err := syscall.Mount(file, file, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("cannot bind a file: %v", err)
	}
	unbind := sync.OnceFunc(func() { _ = syscall.Unmount(file, syscall.MNT_DETACH) })
	defer unbind()
	if err := syscall.Mount("", file, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot make a file read-only: %v", err)
	}
	noted := func(words string) func() bool {
		return func() bool {
			return slices.ContainsFunc(p.history("a"), func(r record) bool { return strings.Contains(r.Detail, words) })
		}
	}
	p.write(text(60))
	p.suffers("not those of the profile", "a restart enforces them", "read-only")
	p.waitFor("it is noted", noted("read-only"))
	if got := p.pidsLimit("a"); got != "50" {
		t.Errorf("the limit is %s", got)
	}
	unbind()
	p.write(text(70))
	p.waitFor("the limit is in force", func() bool { return p.pidsLimit("a") == "70" })
	p.waitFor("that is noted too", noted("in force again"))
	p.recovers()
	if i := p.of("a"); i.Generation != 1 {
		t.Errorf("a: %v", i)
	}
	p.checkHistories()
}

// A limit that changes while its component is being launched is in force when
// it runs.
func TestALimitThatChangesDuringTheLaunch(t *testing.T) {
	t.Parallel()
	text := func(pids int) string {
		return fmt.Sprintf(`
components:
  a:
    command: [/bin/sleep, "600"]
    workingDirectory: .
    resources: {pids: %d}
    hooks: {preStart: [/bin/sh, -c, "echo begun; while [ ! -e go ]; do sleep 0.02; done"]}
`, pids)
	}
	p := prepare(t, text(50))
	p.run()
	p.ready()
	if i := p.until("a", "is launched or failed", func(i instance) bool { return i.Status == "starting" || i.Status == "failed" }); i.Status == "failed" {
		t.Skipf("this host cannot limit processes: %s", i.Reason)
	}
	p.waitFor("the hook has begun", func() bool { return p.must("logs", "a") != "" })
	p.write(text(60))
	p.waitFor("the new limit is the plan's", func() bool { return p.planned("a")["pids"] == float64(60) })
	p.put("go", "")
	p.running("a")
	if p.pidsLimit("a") == "" {
		t.Skip("where this host keeps the limit is not known")
	}
	p.waitFor("the new limit is in force", func() bool { return p.pidsLimit("a") == "60" })
	if i := p.of("a"); i.Generation != 1 {
		t.Errorf("a: %v", i)
	}
}

// planned are the resources of an instance as the plan has them.
func (p *peerd) planned(name string) map[string]any {
	p.t.Helper()
	var d struct {
		Spec struct{ Resources map[string]any }
	}
	if err := json.Unmarshal([]byte(p.must("get", name, "-o", "json")), &d); err != nil {
		p.t.Fatal(err)
	}
	return d.Spec.Resources
}
