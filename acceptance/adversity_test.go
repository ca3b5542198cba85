//go:build linux

package acceptance_test

import (
	"maps"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// Wrong calls: exit code 2, and a word on what is right.
func TestWrongCalls(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	before := p.pids()
	for words, args := range map[string][]string{
		"no-such-flag":        {"ps", "--no-such-flag"},
		"did you mean":        {"stat"},
		"unknown verb":        {"frobnicate"},
		"a verb is missing":   {},
		"needs NAME":          {"get"},
		"is too much":         {"status", "now"},
		"needs a NAME, --all": {"stop"},
		"not both":            {"stop", "ticker", "--all"},
		"unknown output":      {"ps", "-o", "xml"},
		"must not be 0":       {"data", "ticker", "memory", "--count", "0"},
		"at least 1ms":        {"data", "ticker", "memory", "--interval", "-1s"},
		"unknown data":        {"data", "ticker", "gossip"},
		"out or err":          {"logs", "ticker", "--stream", "both"},
		"neither a duration":  {"logs", "ticker", "--since", "yesterday"},
		"no sequence number":  {"events", "--since", "x"},
		"0 or more":           {"scale", "ticker", "-1"},
		"bash, zsh or fish":   {"completion", "tcsh"},
	} {
		p.refused(2, words, args...)
	}
	for _, args := range [][]string{{"run", "a", "b"}, {"validate"}, {"run", "--log-format", "xml", p.profile}, {"run", "--no-such"}, {"frobnicate"}} {
		if r := p.exec("peerd", args...); r.code != 2 || r.stderr == "" {
			t.Errorf("want exit code 2: %v", r)
		}
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// Wrong names: exit code 3, and of several names none is acted on.
func TestWrongNames(t *testing.T) {
	t.Parallel()
	p := start(t, pair)
	p.running("ticker", "plain")
	before := p.pids()
	for _, args := range [][]string{
		{"get", "ghost"},
		{"ps", "ghost"},
		{"stop", "ghost"},
		{"stop", "ticker", "ghost"},
		{"start", "tick"},
		{"kill", "ticker#2"},
		{"restart", "TICKER"},
		{"history", "ghost"},
		{"logs", "ghost"},
		{"data", "ghost", "memory"},
		{"send", "ghost", "GREET"},
		{"stop", "other/ticker"},
		{"stop", "--app", "other"},
		{"stop", "--group", "ghosts"},
		{"scale", "ghost", "2"},
		{"stop", "ticker*"},
		{"stop", ""},
		{"get", "größe"},
		{"get", "../../etc/passwd"},
		{"get", "tick\x1b[31mer"},
		{"get", strings.Repeat("x", 5000)},
	} {
		r := p.ccpc(args...)
		if r.code != 3 || strings.Contains(r.stderr, "\x1b") || r.stderr == "" {
			t.Errorf("want exit code 3 and no control bytes: %v", r)
		}
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// Wrong files and sockets.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	p := prepare(t, pair)
	p.put("none", "no socket")
	for _, socket := range []string{p.path("missing"), p.path("none"), p.dir, strings.Repeat("/long", 60)} {
		p.refused(5, "", "ps", "--socket", socket)
	}
	for _, file := range []string{p.path("missing.yaml"), p.dir + "/tmp", "/dev/null", "/proc/self/mem"} {
		p.refused(7, "", "validate", file)
		p.refused(7, "", "descriptor", file)
		if r := p.exec("peerd", "run", file); r.code != 7 {
			t.Errorf("want exit code 7: %v", r)
		}
	}
	// Somebody who accepts and says nothing.
	l, err := net.Listen("unix", p.path("mute"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.refused(4, "", "ps", "--socket", p.path("mute"), "--timeout", "300ms")
}

// peerd refuses to start where it cannot work, and says why.
func TestPeerdSaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	p := prepare(t, pair)
	cases := map[string]string{
		"a unix socket allows 107": strings.Replace(head, "runtimeDir: run", "runtimeDir: run, socket: "+strings.Repeat("long/", 30)+"s", 1) + pair,
		"no socket has that name":  strings.Replace(head, "runtimeDir: run", "runtimeDir: run, socket: file", 1) + pair,
		"not a directory":          strings.Replace(head, "stateDir: state", "stateDir: file/state", 1) + pair,
	}
	p.put("file", "")
	for words, text := range cases {
		p.put("wrong.yaml", text)
		if r := p.exec("peerd", "run", "wrong.yaml"); r.code == 0 || !strings.Contains(r.stderr, words) {
			t.Errorf("want %q: %v", words, r)
		}
	}
	p.nothingLives()
}

// An executable that is missing gives a reason; when it appears, the component
// starts by its restart policy.
func TestAMissingExecutableThatAppears(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  later: {command: [./later.sh], restart: {policy: always, delay: 200ms, factor: 1, jitter: 0}}
  never: {command: [./never.sh], restart: {policy: never}}
  noexec: {command: [./profile.yaml], restart: {policy: never}}
  badcwd: {command: [/bin/sleep, "600"], workingDirectory: missing, restart: {policy: never}}
`)
	i := p.until("later", "waits for its next attempt", func(i instance) bool { return i.Status == "backoff" })
	if !strings.Contains(i.Reason, "later.sh") || !strings.Contains(i.Reason, "no such file") {
		t.Errorf("later: %v", i)
	}
	for name, words := range map[string]string{"never": "no such file", "noexec": "permission denied", "badcwd": "missing"} {
		if i := p.is(name, "failed"); !strings.Contains(i.Reason, words) {
			t.Errorf("%s: want %q: %v", name, words, i)
		}
	}
	p.put(".script", "#!/bin/sh\nexec sleep 600\n")
	if err := os.Chmod(p.path(".script"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(p.path(".script"), p.path("later.sh")); err != nil {
		t.Fatal(err)
	}
	p.running("later")
}

// Captured garbage comes escaped, and raw when asked for.
func TestBinaryGarbageInLogs(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  garbage: {command: [/bin/sh, -c, "head -c 100000 /dev/urandom; printf '\\033[2J\\000\\377\\r\\nend\\n'; exec sleep 600"], ready: {logLine: "^end$"}}
`)
	p.running("garbage")
	out := p.must("logs", "garbage")
	if strings.ContainsFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) || !strings.HasSuffix(out, "end\n") {
		t.Errorf("control bytes reach the terminal: %q", out[max(0, len(out)-200):])
	}
	if raw := p.must("logs", "garbage", "--raw"); !strings.Contains(raw, "\x1b[2J\x00\xff\r\nend\n") || len(raw) < 100000 {
		t.Errorf("raw: %d bytes, ending in %q", len(raw), raw[max(0, len(raw)-40):])
	}
	p.must("logs", "garbage", "-o", "json", "--tail", "10")
}

// A burst of lines holds nobody up, and none of them is lost.
func TestABurstOfLinesWhileControlling(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker+`
  burst: {command: [/bin/sh, -c, "while [ ! -e go ]; do sleep 0.02; done; seq 1 10000; exec sleep 600"], workingDirectory: .}
`)
	p.running("ticker", "burst")
	before := p.pids()
	p.put("go", "")
	for range 5 {
		p.must("report-state", "ticker")
		p.must("set-loglevel", "ticker", "ticker", "info")
	}
	var out string
	p.waitFor("the last line", func() bool {
		out = p.must("logs", "burst")
		return strings.HasSuffix(out, "10000\n")
	})
	if n := strings.Count(out, "\n"); n != 10000 {
		t.Errorf("%d lines", n)
	}
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}

// peerd tells its service manager when it is ready, and when it stops.
func TestPeerdTellsItsServiceManager(t *testing.T) {
	t.Parallel()
	p := prepare(t, pair)
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: p.path("notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.env = append(p.env, "NOTIFY_SOCKET="+p.path("notify"))
	heard := func() string {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	p.run()
	if got := heard(); !strings.Contains(got, "READY=1") {
		t.Errorf("heard %q", got)
	}
	p.running("ticker", "plain")
	for name, i := range p.ps() {
		for _, entry := range p.environOf(i.Pid) {
			if strings.HasPrefix(entry, "NOTIFY_SOCKET=") {
				t.Errorf("%s gets %s", name, entry)
			}
		}
	}
	p.signal(15)
	if got := heard(); !strings.Contains(got, "STOPPING=1") {
		t.Errorf("heard %q", got)
	}
	p.over()
	p.nothingLives()
}

// What is no request harms nobody.
func TestHostileHTTP(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	before := p.pids()
	for _, text := range []string{
		"\x00\x01\x02\r\n\r\n", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "POST /v1/components/ticker/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n{",
		"POST /v1/components/ticker/set-loglevel HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n[[[[",
		"GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\n\r\n",
	} {
		conn, err := net.Dial("unix", p.socket())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
	p.must("report-state", "ticker")
	if now := p.pids(); !maps.Equal(now, before) {
		t.Errorf("were %v and are %v", before, now)
	}
}
