//go:build linux

package acceptance_test

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A handshake that cannot succeed: a clear reason, no process, and backoff.
func TestCase41AHandshakeThatFails(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {ccp: true, launchTimeout: 1s, restart: {policy: always, delay: 1h, maxDelay: 1h}}
components:
  versions: {command: ['${BAD}', versions]}
  rubbish: {command: ['${BAD}', rubbish]}
  silent: {command: ['${BAD}', silent]}
`)
	for name, words := range map[string]string{
		"versions": "this peer speaks 1.0..1.0, the component 7.0..7.3", "rubbish": "no handshake", "silent": "no handshake line within",
	} {
		if i := p.is(name, "backoff"); !strings.Contains(i.Reason, words) || i.Pid != 0 {
			t.Errorf("%s: want the reason %q: %v", name, words, i)
		}
	}
	p.none()
}

// A component that is stuck before COMPONENT_EXECUTION has a deadline; progress
// prolongs it, up to ten times its length and no further.
func TestCase42ADeadlineForTheStates(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {ccp: true, launchTimeout: 1s, restart: {policy: never}, command: ['${BAD}', slow-configure]}
components:
  stuck: {command: ['${BAD}', stuck-configure]}
  patient: {env: {BAD_FOR: 3s}}
  endless: {env: {BAD_FOR: 1h}}
  plain: {ccp: false, command: [/bin/sh, -c, "exec sleep 600"], ready: {logLine: never}}
`)
	p.running("patient")
	for name, reason := range map[string]string{
		"stuck": `^not started within 1\.?\d*s \(in COMPONENT_CONFIGURATION\)$`, "plain": `^not started within 1\.?\d*s$`,
		"endless": `^not started within 10\.?\d*s \(in COMPONENT_CONFIGURATION\)$`,
	} {
		if i := p.is(name, "failed"); !regexp.MustCompile(reason).MatchString(i.Reason) {
			t.Errorf("%s: want the reason %s: %v", name, reason, i)
		}
	}
}

// notifying speaks sd_notify, as each line of a script says.
func notifying(messages ...string) string {
	text := "import os,socket,time,sys;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);n=lambda m: s.sendto(m.encode(),os.environ['NOTIFY_SOCKET'])"
	for _, m := range messages {
		text += ";" + m
	}
	return fmt.Sprintf("[python3, -c, %q]", text)
}

// RELOADING, then an end: failed, not stuck reloading. And while it reloads,
// ps says so.
func TestCase43AnEndWhileReloading(t *testing.T) {
	t.Parallel()
	if !hasProgram("python3") {
		t.Skip("python3 is not installed")
	}
	p := start(t, `
defaults: {workingDirectory: ., ready: {notify: true}, restart: {policy: never}}
components:
  dies: {command: `+notifying("n('READY=1')", "n('RELOADING=1\\nSTATUS=reading the file')", "time.sleep(0.2)", "sys.exit(3)")+`}
  reloads: {command: `+notifying("n('READY=1')", "n('RELOADING=1\\nSTATUS=reading the file')", "[time.sleep(0.02) for _ in iter(lambda: os.path.exists('go'), True)]", "n('READY=1\\nSTATUS=serving')", "time.sleep(600)")+`}
`)
	if i := p.is("dies", "failed"); i.LastExit.Code != 3 || i.Reason != "exit code 3" {
		t.Errorf("dies: %v", i)
	}
	p.until("reloads", "says that it reloads", func(i instance) bool {
		return i.Status == "running" && i.Says == "reloading: reading the file" && i.Reason == ""
	})
	p.put("go", "")
	p.until("reloads", "has reloaded", func(i instance) bool { return i.Status == "running" && i.Says == "serving" })
	if i := p.of("reloads"); i.Generation != 1 {
		t.Errorf("reloads: %v", i)
	}
}

// The rest of what sd_notify can say: EXTEND_TIMEOUT_USEC prolongs the launch,
// a missed WATCHDOG restarts, STOPPING is an orderly end, and a stranger is
// not heard.
func TestNotifications(t *testing.T) {
	t.Parallel()
	if !hasProgram("python3") {
		t.Skip("python3 is not installed")
	}
	p := start(t, `
defaults: {ready: {notify: true}, restart: {policy: always, delay: 1h, maxDelay: 1h}}
components:
  extends: {launchTimeout: 1s, command: `+notifying("[(n('EXTEND_TIMEOUT_USEC=1000000'), time.sleep(0.3)) for _ in range(8)]", "n('READY=1')", "time.sleep(600)")+`}
  watched: {command: `+notifying("n('READY=1\\nWATCHDOG_USEC=300000')", "time.sleep(600)")+`}
`)
	p.running("extends")
	if i := p.is("watched", "backoff"); !strings.Contains(i.Reason, "watchdog") {
		t.Errorf("watched: %v", i)
	}
}

// One who reads no events is cut off with a marker; the others get all.
func TestCase49ASlowSubscriber(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {restart: {delay: 1ms, maxDelay: 1ms, jitter: 0, limit: {count: 1000, within: 1s}}, ready: {startSeconds: 1h}}
components:
  a: {command: [/bin/sh, -c, "exit 0"]}
  b: {command: [/bin/sh, -c, "exit 0"]}
  c: {command: [/bin/sh, -c, "exit 0"]}
  d: {command: [/bin/sh, -c, "exit 0"]}
`)
	// Far more than socket and queue hold is there at once.
	p.until("a", "has told a lot", func(i instance) bool { return i.Generation > 150 })
	conn, err := net.Dial("unix", p.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.UnixConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /v1/events?follow HTTP/1.1\r\nHost: peerd\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	blocked := time.Now()
	p.waitFor("the peer's patience is over", func() bool { return time.Since(blocked) > 12*time.Second })
	p.must("ps") // the others are served
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	marked := false
	for text := bufio.NewScanner(conn); text.Scan() && !marked; {
		marked = strings.Contains(text.Text(), "cutoff")
	}
	if !marked {
		t.Error("the stream ends without a marker")
	}
	p.waitFor("it is counted", func() bool { return strings.Contains(p.metrics(), "peerd_api_streams_cut_off_total 1") })
}
