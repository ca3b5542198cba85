//go:build linux

package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a condition may take. It is far beyond what anything
// takes, as the machine may be busy.
const patience = 60 * time.Second

// peerd is one peer under test. Its folders are in dir, whose path is short,
// as those of unix sockets must be. It belongs to the test's goroutine.
type peerd struct {
	t       testing.TB
	dir     string
	profile string               // the file it runs
	env     []string             // of peerd and ccpc
	wrap    []string             // what peerd is run through: a command that ends in exec "$@"
	attr    *syscall.SysProcAttr // of the peerd process; nil: a process group of its own
	cmd     *exec.Cmd
	ended   *syscall.WaitStatus // of the process, once it was waited for
	after   time.Duration       // between SIGTERM and its end, at most
}

// head is the part of a profile that every test has; what a test gives comes
// behind it.
const head = "application: {guid: acc}\npeer: {name: acc, stateDir: state, runtimeDir: run}\n"

// prepare makes the folders and the profile of a peer that does not run yet.
func prepare(t testing.TB, body string) *peerd {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "acc")
	if err != nil {
		t.Fatal(err)
	}
	p := &peerd{t: t, dir: dir, profile: filepath.Join(dir, "profile.yaml"), after: patience}
	if err := os.Mkdir(p.path("tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "LANG=C.UTF-8",
		"TMPDIR=" + p.path("tmp"), // on the components' allow-list: it marks every process of this test
		"PEERD_SOCKET=" + p.socket(), "CANARY=must-not-be-handed-down",
		"DESCRIPTOR=" + descriptorFile, "SAMPLE=" + program("CCPComponent"), "BAD=" + program("badcomponent"),
		"DIARIST=" + program("diarist"), "DIARIES=" + p.path("diaries"),
	}
	p.write(body)
	t.Cleanup(func() {
		p.leave()
		if t.Failed() {
			log, _ := os.ReadFile(p.path("peerd.log"))
			t.Logf("the end of peerd's log:\n%s", log[max(0, len(log)-8000):])
		}
		_ = os.RemoveAll(dir)
	})
	return p
}

// start runs a peer with a profile made of head and body, and waits until the
// plan is applied.
func start(t testing.TB, body string) *peerd {
	t.Helper()
	p := prepare(t, body)
	p.run()
	p.ready()
	return p
}

func (p *peerd) path(name string) string { return filepath.Join(p.dir, name) }
func (p *peerd) socket() string          { return p.path("run/peerd.sock") }

// write replaces the profile, as an editor does: all at once.
func (p *peerd) write(body string) {
	p.t.Helper()
	p.put("profile.yaml", head+body)
}

// put writes a file of the test's folder by renaming a finished one.
func (p *peerd) put(name, text string) {
	p.t.Helper()
	next := p.path(".next")
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(next, p.path(name)); err != nil {
		p.t.Fatal(err)
	}
}

// run starts the peerd process and waits for nothing.
func (p *peerd) run() {
	p.t.Helper()
	log, err := os.OpenFile(p.path("peerd.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	argv := append(slices.Clone(p.wrap), program("peerd"), "run", p.profile)
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.attr != nil {
		p.cmd.SysProcAttr = p.attr
	}
	p.ended = nil
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// ready waits until the plan is applied and the API answers.
func (p *peerd) ready() {
	p.t.Helper()
	p.waitFor("peerd is ready", func() bool {
		if p.isOver() {
			p.t.Fatal("peerd ended instead of becoming ready")
		}
		return p.get("/readyz") == http.StatusOK
	})
}

// get asks the API by HTTP and returns the status, 0 when nobody answers.
func (p *peerd) get(path string) int {
	status, _ := p.fetch(path)
	return status
}

// fetch is get that returns the body too.
func (p *peerd) fetch(path string) (status int, body string) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", p.socket())
	}}
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	resp, err := client.Get("http://peerd" + path)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// isOver reports whether the peerd process has ended, and reaps it.
func (p *peerd) isOver() bool {
	if p.cmd == nil || p.ended != nil {
		return true
	}
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WNOHANG, nil)
	if err != nil || pid != p.cmd.Process.Pid {
		return false
	}
	_ = p.cmd.Process.Release()
	p.ended = &status
	return true
}

// signal sends a signal to the peerd process alone.
func (p *peerd) signal(sig syscall.Signal) {
	p.t.Helper()
	if p.isOver() {
		p.t.Fatalf("peerd is not there to get %v", sig)
	}
	if err := syscall.Kill(p.cmd.Process.Pid, sig); err != nil {
		p.t.Fatal(err)
	}
}

// over waits for the end of the peerd process.
func (p *peerd) over() syscall.WaitStatus {
	p.t.Helper()
	p.waitFor("peerd ends", p.isOver)
	return *p.ended
}

// leave ends what a test left running and judges what it leaves behind.
func (p *peerd) leave() {
	p.t.Helper()
	defer p.nothingLives()
	if p.isOver() {
		return
	}
	if !p.t.Failed() {
		if r := p.ccpc("stop", "--all"); r.code != 0 && !strings.Contains(r.stderr, "no instance") {
			p.t.Errorf("at the end: %v", r)
		}
		p.checkHistories()
	}
	p.signal(syscall.SIGTERM)
	if status := p.over(); status.ExitStatus() != 0 {
		p.t.Errorf("peerd ended with %v after SIGTERM", describe(status))
	}
}

// result is what one run of a program gave.
type result struct {
	args           []string
	stdout, stderr string
	code           int
}

func (r result) String() string {
	out, _ := json.Marshal(map[string]any{"args": r.args, "code": r.code, "stdout": r.stdout, "stderr": r.stderr})
	return string(out)
}

// ccpc runs ccpc to its end.
func (p *peerd) ccpc(args ...string) result {
	p.t.Helper()
	return p.exec("ccpc", args...)
}

// exec runs one of the programs to its end.
func (p *peerd) exec(name string, args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	return p.finish(exec.CommandContext(ctx, program(name), args...))
}

func (p *peerd) finish(cmd *exec.Cmd) result {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, p.dir, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("cannot run %v: %v", cmd.Args, err)
	}
	return result{cmd.Args[1:], stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must runs ccpc and wants exit code 0; it returns stdout.
func (p *peerd) must(args ...string) string {
	p.t.Helper()
	r := p.ccpc(args...)
	if r.code != 0 {
		p.t.Fatalf("want success: %v", r)
	}
	return r.stdout
}

// refused runs ccpc and wants an exit code and words on stderr.
func (p *peerd) refused(code int, words string, args ...string) result {
	p.t.Helper()
	r := p.ccpc(args...)
	if r.code != code || !strings.Contains(r.stderr, words) {
		p.t.Errorf("want exit code %d and %q: %v", code, words, r)
	}
	return r
}

// waitFor waits until cond holds.
func (p *peerd) waitFor(what string, cond func() bool) {
	p.t.Helper()
	p.waitWithin(patience, what, cond)
}

// waitWithin is waitFor for what must not take as long as anything may.
func (p *peerd) waitWithin(limit time.Duration, what string, cond func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(limit); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}
