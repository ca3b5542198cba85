//go:build linux

package acceptance_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// Issue 2: a component without a ccp element runs as a plain process, started
// by readiness. Each of these becomes ready only when the file `go` is there.
func TestAPlainProcessIsStartedByItsReadiness(t *testing.T) {
	t.Parallel()
	const awaitGo = "while [ ! -e go ]; do sleep 0.02; done; "
	kinds := map[string]string{
		"exec":    `{command: [/bin/sleep, "600"], ready: {exec: [/usr/bin/test, -e, go]}}`,
		"logLine": `{command: [/bin/sh, -c, "echo not yet; ` + awaitGo + `echo listening on port 7; exec sleep 600"], ready: {logLine: "listening on port [0-9]+"}}`,
		"notify":  `{command: ["${BAD}", notifies-late], ready: {notify: true}}`,
		"tcp":     `{command: ["${BAD}", serves-late, "${TCP}"], ready: {tcp: "${TCP}"}}`,
		"http":    `{command: ["${BAD}", serves-late, "${HTTP}"], ready: {http: "http://${HTTP}/"}}`,
		"fd":      `{command: [/bin/sh, -c, "` + awaitGo + `echo >&3; exec 3>&-; exec sleep 600"], ready: {fd: 3}}`,
	}
	var body strings.Builder
	body.WriteString("defaults: {workingDirectory: .}\ncomponents:\n")
	names := []string{}
	for name, spec := range kinds {
		fmt.Fprintf(&body, "  %s: %s\n", name, spec)
		names = append(names, name)
	}
	p := prepare(t, body.String())
	p.env = append(p.env, "HTTP="+freeAddress(t), "TCP="+freeAddress(t))
	p.run()
	p.ready()
	p.waitFor("all are spawned", func() bool {
		for _, i := range p.ps() {
			if i.Pid == 0 {
				return false
			}
		}
		return true
	})
	for name, i := range p.ps() {
		if i.Status != "starting" {
			t.Errorf("%s is %s before it is ready", name, i.Status)
		}
	}
	p.put("go", "")
	p.running(names...)
	p.must("stop", "--all")
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// With nothing declared, started is alive for startSeconds.
func TestAPlainProcessIsStartedWhenItHasLivedForStartSeconds(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  lives: {command: [/bin/sleep, "600"], ready: {startSeconds: 1s}}
  default: {command: [/bin/sleep, "600"]}
  dies: {command: [/bin/false], ready: {startSeconds: 1s}, restart: {policy: never}}
`)
	p.running("lives", "default")
	history := p.history("lives")
	spawned, _ := find(history, func(r record) bool { return r.Pid != 0 })
	running, _ := find(history, func(r record) bool { return r.To == lifecycle.Running })
	if took := running.At.Sub(spawned.At); took < 900*time.Millisecond {
		t.Errorf("started after %v", took)
	}
	if i := p.is("dies", "failed"); i.LastExit.Code != 1 {
		t.Errorf("dies: %v", i)
	}
	if r := p.ccpc("report-state", "lives"); r.code == 0 || !strings.Contains(r.stderr, "no CCP channel") {
		t.Errorf("report-state of a plain process: %v", r)
	}
	if r := p.ccpc("set-loglevel", "lives", "debug"); r.code == 0 || !strings.Contains(r.stderr, "no CCP channel") {
		t.Errorf("set-loglevel of a plain process: %v", r)
	}
	if out := p.must("data", "lives", "memory", "-o", "json"); !strings.Contains(out, `"source": "os"`) {
		t.Errorf("memory of a plain process: %s", out)
	}
}

// Stopped by signal, then by force.
func TestAPlainProcessIsStoppedBySignalThenForce(t *testing.T) {
	t.Parallel()
	const wait = time.Second
	p := start(t, `
defaults: {ready: {logLine: armed}}
components:
  polite: {command: [/bin/sh, -c, "trap 'exit 0' TERM; echo armed; while :; do sleep 0.05; done"]}
  usr1: {command: [/bin/sh, -c, "trap 'exit 3' USR1; echo armed; while :; do sleep 0.05; done"], stopSignal: SIGUSR1}
  deaf: {command: [/bin/sh, -c, "trap '' TERM; echo armed; while :; do sleep 0.05; done"], componentStopWaitTime: 1s}
`)
	p.running("polite", "usr1", "deaf")
	p.must("stop", "--all")
	for name, want := range map[string]exit{"polite": {}, "usr1": {Code: 3}, "deaf": {Code: -1, Signal: "SIGKILL"}} {
		if i := p.of(name); i.Status != "stopped" || *i.LastExit != want {
			t.Errorf("%s: want %+v: %v", name, want, i)
		}
	}
	history := p.history("deaf")
	asked, _ := find(history, func(r record) bool { return r.To == lifecycle.Stopping })
	if took := history[len(history)-1].At.Sub(asked.At); took < wait || took > wait+500*time.Millisecond {
		t.Errorf("killed %v after the stop, promised is %v to 0.5 s more", took, wait)
	}
	p.must("start", "polite")
	p.must("kill", "polite")
	if i := p.of("polite"); i.Status != "stopped" || i.LastExit.Signal != "SIGKILL" {
		t.Errorf("after kill: %v", i)
	}
}
