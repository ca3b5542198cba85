//go:build linux

package acceptance_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Issue 2: a second user (uid 65534) is refused by credentials even where the
// file modes would let it in.
func TestASecondUserIsRefusedByCredentials(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	p := start(t, "components:"+ticker)
	p.running("ticker")
	before := p.pids()
	for path, mode := range map[string]os.FileMode{"": 0o755, "run": 0o755, "run/peerd.sock": 0o666} {
		if err := os.Chmod(p.path(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"ps"},
		{"status"},
		{"stop", "ticker"},
		{"kill", "--all"},
		{"history", "ticker"},
		{"logs", "ticker"},
		{"events"},
		{"reload"},
		{"data", "ticker", "memory"},
		{"send", "ticker", "GREET", `{"name":"x"}`},
	} {
		r := p.asNobody(args...)
		if r.code != 6 || r.stdout != "" || !strings.Contains(r.stderr, "65534") {
			t.Errorf("want exit code 6 and who was refused: %v", r)
		}
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// A role that is enough for looking is not enough for acting.
func TestAViewerMayLookAndNotAct(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	p := prepare(t, "components:"+ticker)
	p.put("profile.yaml", strings.Replace(head, "runtimeDir: run", "runtimeDir: run, access: [{uid: 65534, role: viewer}]", 1)+"components:"+ticker)
	p.run()
	p.ready()
	p.running("ticker")
	for path, mode := range map[string]os.FileMode{"": 0o755, "run": 0o755, "run/peerd.sock": 0o666} {
		if err := os.Chmod(p.path(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.asNobody("ps", "-o", "json"); r.code != 0 || !strings.Contains(r.stdout, "ticker") {
		t.Errorf("a viewer looks: %v", r)
	}
	if r := p.asNobody("stop", "ticker"); r.code != 6 {
		t.Errorf("a viewer stops: %v", r)
	}
	if i := p.of("ticker"); i.Status != "running" {
		t.Errorf("ticker: %v", i)
	}
}

// asNobody runs ccpc as uid 65534.
func (p *peerd) asNobody(args ...string) result {
	p.t.Helper()
	cmd := exec.Command(program("ccpc"), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return p.finish(cmd)
}

// The socket is for its owner alone, from its birth.
func TestTheSocketIsPrivate(t *testing.T) {
	t.Parallel()
	p := start(t, "components: {a: {command: [/bin/sleep, '600']}}")
	for path, want := range map[string]os.FileMode{"run": 0o700, "run/peerd.sock": 0o600, "state": 0o700} {
		info, err := os.Stat(p.path(path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

// A component with a user of its own reaches its private folder all the same.
func TestAComponentOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	p := prepare(t, "components: {other: {descriptor: '${DESCRIPTOR}', command: ['${SAMPLE}'], user: nobody, workingDirectory: /}}")
	if err := os.Chmod(p.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	p.run()
	p.ready()
	p.running("other")
	var status syscall.Stat_t
	if err := syscall.Stat(fmt.Sprintf("/proc/%d", p.of("other").Pid), &status); err != nil || status.Uid != 65534 {
		t.Errorf("it runs as uid %d: %v", status.Uid, err)
	}
}

// Issue 2: components get an environment allow-list, fds 0–2 only, stdin null.
func TestAComponentGetsItsAllowListAndThreeDescriptors(t *testing.T) {
	t.Parallel()
	// sleep opens nothing by itself; as a CCP component it is a silent one.
	p := start(t, `
components:
  plain: {command: [/bin/sleep, "600"], env: {OWN: mine}}
  ccp: {ccp: true, command: [/bin/sleep, "600"], env: {OWN: mine}}
`)
	// PEERD_INSTANCE marks a process where there is no cgroup to hold it.
	allowed := []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR", "OWN", "PEERD_INSTANCE"}
	for _, name := range []string{"plain", "ccp"} {
		pid := p.until(name, "has a pid", func(i instance) bool { return i.Pid != 0 }).Pid
		var names []string
		for _, entry := range p.environOf(pid) {
			variable, value, _ := strings.Cut(entry, "=")
			handshake := name == "ccp" && (strings.HasPrefix(variable, "PLUGIN_") || strings.Contains(variable, "COOKIE"))
			if !slices.Contains(allowed, variable) && !handshake {
				t.Errorf("%s gets %s", name, entry)
			}
			if variable == "OWN" && value != "mine" {
				t.Errorf("%s gets %s", name, entry)
			}
			names = append(names, variable)
		}
		if !slices.Contains(names, "PATH") || !slices.Contains(names, "OWN") {
			t.Errorf("%s gets only %v", name, names)
		}
		files := p.filesOf(pid)
		if keys := slices.Sorted(maps.Keys(files)); !slices.Equal(keys, []string{"0", "1", "2"}) || files["0"] != "/dev/null" {
			t.Errorf("%s has the descriptors %v", name, files)
		}
	}
}

// A secret is given to its component alone and shown nowhere.
func TestASecretIsShownNowhere(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	p := prepare(t, "")
	p.put("profile.yaml", strings.Replace(head, "name: acc", "name: acc, logLevel: trace", 1)+`
components:
  ccp: {descriptor: "${DESCRIPTOR}", command: ["${SAMPLE}"], secrets: {TOKEN: {file: token}}}
  plain: {command: [/bin/sleep, "600"], secrets: {TOKEN: {file: token}}}
  other: {command: [/bin/sleep, "600"]}
`)
	p.put("token", secret+"\n")
	p.run()
	p.ready()
	p.running("ccp", "plain", "other")
	for name, i := range p.ps() {
		has := slices.Contains(p.environOf(i.Pid), "TOKEN="+secret)
		if has != (name == "plain") {
			t.Errorf("%s has the secret in its environment: %v", name, has)
		}
		if strings.Contains(commandOf(i.Pid), secret) {
			t.Errorf("%s has the secret in its arguments", name)
		}
		for _, args := range [][]string{{"get", name, "-o", "json"}, {"history", name}, {"logs", name}} {
			if strings.Contains(p.must(args...), secret) {
				t.Errorf("%v shows the secret", args)
			}
		}
	}
	p.must("stop", "--all")
	for _, file := range p.files() {
		if text, _ := os.ReadFile(file); filepath.Base(file) != "token" && strings.Contains(string(text), secret) {
			t.Errorf("%s holds the secret", file)
		}
	}
}

// files are all regular files of the test's folder: profile, journal, captured
// output, peerd's log.
func (p *peerd) files() (all []string) {
	p.t.Helper()
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}
