//go:build linux

package acceptance_test

import (
	"maps"
	"strings"
	"syscall"
	"testing"
)

// syncs are the system calls that put something on disk.
const syncs = "fsync,fdatasync,msync,sync_file_range"

// acted is what the verbs are tried on.
const acted = `
components:` + ticker + `
  plain: {command: [/bin/sleep, "600"]}
  worker: {command: [/bin/sleep, "600"], replicas: 2}
  down: {command: [/bin/sleep, "600"], enabled: false}
  chatty: {command: [/bin/sh, -c, "echo once; exec sleep 600"], ready: {logLine: once}}
`

// actingVerbs is every verb that changes something.
var actingVerbs = [][]string{
	{"start", "down"},
	{"start", "plain"},
	{"start", "down", "--no-wait"},
	{"stop", "plain"},
	{"stop", "plain", "--no-wait"},
	{"stop", "--all"},
	{"restart", "ticker"},
	{"restart", "--rolling", "worker"},
	{"kill", "plain"},
	{"scale", "worker", "3"},
	{"scale", "worker", "1"},
	{"reload"},
	{"set-loglevel", "ticker", "ticker", "trace"},
	{"set-loglevel", "ticker", "ticker", "trace", "--persist"},
	{"flush", "ticker"},
	{"upgrade"},
	{"clear-logs", "chatty"},
	{"send", "ticker", "GREET", `{"name":"x"}`},
}

// picture is what a refused verb must leave as it is.
type picture struct {
	pids    map[string][2]uint64
	desired map[string]string
	levels  string
	log     string
}

func (p *peerd) picture() picture {
	p.t.Helper()
	x := picture{pids: p.pids(), desired: map[string]string{}}
	for name, i := range p.ps() {
		x.desired[name] = i.Desired
	}
	x.levels = p.must("data", "ticker", "loglevels")
	x.log = p.must("logs", "chatty", "--raw")
	return x
}

// isStill wants nothing to have changed since the picture was taken.
func (p *peerd) isStill(before picture, when string) {
	p.t.Helper()
	now := p.picture()
	if !maps.Equal(now.pids, before.pids) || !maps.Equal(now.desired, before.desired) {
		p.t.Errorf("%s: were %v %v and are %v %v", when, before.pids, before.desired, now.pids, now.desired)
	}
	if level := levelOf(now.levels); level != levelOf(before.levels) || now.log != before.log {
		p.t.Errorf("%s: level %s and log %q, before %s and %q", when, level, now.log, levelOf(before.levels), before.log)
	}
}

// levelOf is the level that "trace" would have changed.
func levelOf(levels string) string {
	if strings.Contains(strings.ToLower(levels), "trace") {
		return "trace"
	}
	return "as it was"
}

// Issue 4: every fsync failing, no verb reports success, and what was refused
// does not happen later either: not while the fault lasts, not when it is over,
// and not in the next peer.
func TestEveryFsyncFailing(t *testing.T) {
	t.Parallel()
	needsStrace(t)
	for name, how := range map[string]string{"every": "error=EIO", "the one behind the meta page": "error=EIO:when=2+2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, acted)
			p.running("ticker", "plain", "worker#1", "worker#2", "chatty")
			before := p.picture()
			end := p.inflict(p.cmd.Process.Pid, syncs, how)
			if name == "every" {
				p.nobodySucceeds()
				p.isStill(before, "during the fault")
				p.suffers("journal", "input/output error")
			} else {
				p.refusedInPart()
			}
			end()
			p.recovers()
			if name == "every" {
				p.isStill(before, "after the fault")
				p.killPeerd(nil)
				p.running("ticker", "plain", "worker#1", "worker#2", "chatty")
				p.isStill(before, "in the next peer")
			}
			p.must("restart", "plain")
			p.must("scale", "worker", "1")
		})
	}
}

// nobodySucceeds wants each acting verb to be refused with a reason.
func (p *peerd) nobodySucceeds() {
	p.t.Helper()
	for _, verb := range actingVerbs {
		if r := p.ccpc(verb...); r.code == 0 || !strings.Contains(r.stdout+r.stderr, "input/output error") {
			p.t.Errorf("want a refusal with its reason: %v", r)
		}
	}
}

// refusedInPart stops something until that is refused, ends peerd there, and
// wants the next one to run it on.
func (p *peerd) refusedInPart() {
	p.t.Helper()
	var before instance
	p.waitFor("a stop is refused", func() bool {
		if before = p.of("plain"); before.Status != "running" {
			p.ccpc("start", "plain")
			return false
		}
		r := p.ccpc("stop", "plain")
		return r.code != 0 && strings.Contains(r.stdout+r.stderr, "nothing was done")
	})
	p.signal(syscall.SIGKILL)
	p.over()
	p.run()
	p.ready()
	if i := p.of("plain"); i.Desired != "up" || i.Status != "running" || i.Pid != before.Pid {
		p.t.Errorf("a stop that was refused came true: it was %v and is %v", before, i)
	}
}
