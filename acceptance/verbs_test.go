//go:build linux

package acceptance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// replicas is a profile for the verbs: replicas, a group, a dependency.
const replicas = `
groups: {workers: {}}
components:` + ticker + `
  worker: {command: [/bin/sleep, "600"], replicas: 2, group: workers}
  late: {command: [/bin/sleep, "600"], dependsOn: [ticker], enabled: false}
`

// fields are the names in a JSON object.
func (p *peerd) fields(text string) []string {
	p.t.Helper()
	var object map[string]json.RawMessage
	p.decode(text, &object)
	return slices.Sorted(maps.Keys(object))
}

// has wants names among the fields of each object of a JSON array, or of the
// one object.
func (p *peerd) has(what, text string, names ...string) {
	p.t.Helper()
	var rows []json.RawMessage
	if json.Unmarshal([]byte(text), &rows) != nil {
		rows = []json.RawMessage{json.RawMessage(text)}
	}
	if len(rows) == 0 {
		p.t.Errorf("%s: nothing", what)
	}
	for _, row := range rows {
		got := p.fields(string(row))
		for _, name := range names {
			if !slices.Contains(got, name) {
				p.t.Errorf("%s: no field %s: %s", what, name, row)
			}
		}
	}
}

// The verbs that look, with the field names that the contract promises.
func TestTheVerbsThatLook(t *testing.T) {
	t.Parallel()
	p := start(t, replicas)
	p.running("ticker", "worker#1", "worker#2")
	ps := []string{
		"name", "application", "address", "component", "instance", "generation", "desired", "status", "state", "pid", "restarts",
		"ccp", "ccpVersion", "health", "reason", "primary", "cpu", "memory",
	}
	p.has("ps", p.must("ps", "-o", "json"), ps...)
	p.has("ps of what runs", p.must("ps", "ticker", "worker#1", "-o", "json"), "startedAt")
	p.has("get", p.must("get", "ticker", "-o", "json"), append(ps, "spec", "recent", "tree")...)
	record := []string{"seq", "at", "name", "generation", "from", "to", "state", "cause", "by", "pid", "detail"}
	p.has("history", p.must("history", "ticker", "-o", "json"), record...)
	for line := range strings.Lines(p.must("events", "-o", "json")) {
		p.has("events", line, record...)
	}
	p.has("status", p.must("status", "-o", "json"), "peer", "version", "pid", "keeperPid", "uptimeMs", "profile", "plan", "degraded", "counts")
	p.has("report-state", p.must("report-state", "ticker", "-o", "json"), "name", "state", "since", "operationScope")
	p.has("reload", p.must("reload", "--dry-run", "-o", "json"), "changes", "hash")

	var rows []struct {
		Name, Address, Application, Component, Health string
		Instance                                      int
	}
	p.decode(p.must("ps", "acc/worker#2", "-o", "json"), &rows)
	if r := rows[0]; len(rows) != 1 || r.Name != "worker#2" || r.Address != "acc__1_0__worker#2" || r.Component != "worker" || r.Instance != 2 {
		t.Errorf("worker#2: %+v", r)
	}
	for _, out := range []string{p.must("ps"), p.must("ps", "--group", "workers"), p.must("ps", "-o", "yaml"), p.must("get", "ticker", "-o", "yaml"), p.must("graph"), p.must("graph", "dot"), p.must("graph", "mermaid"), p.must("status")} {
		if strings.TrimSpace(out) == "" || strings.Contains(out, "\x1b[") {
			t.Errorf("empty or coloured: %q", out)
		}
	}
	for _, args := range [][]string{{"top", "--interval", "50ms"}, {"ps", "--watch"}} {
		if code := p.interruptAfter(exec.Command(program("ccpc"), args...), 4); code != 0 {
			t.Errorf("%v ended with %d after Ctrl-C", args, code)
		}
	}
	if p.get("/healthz") != 200 || p.get("/metrics") != 200 || p.get("/openapi.json") != 200 {
		t.Error("healthz, metrics or openapi.json are not there")
	}
}

// The verbs that act, with their outcomes and exit codes.
func TestTheVerbsThatAct(t *testing.T) {
	t.Parallel()
	p := start(t, replicas)
	p.running("ticker", "worker#1", "worker#2")
	act := func(want string, args ...string) {
		t.Helper()
		out := p.must(append(args, "-o", "json")...)
		p.has(args[0], out, "name", "outcome", "status", "detail")
		for _, o := range p.outcomes(out) {
			if o.Outcome != want {
				t.Errorf("%v: want %s: %s", args, want, out)
			}
		}
	}
	act("already", "start", "ticker")
	act("stopped", "stop", "worker#1")
	act("already", "stop", "worker#1")
	act("started", "start", "worker#1")
	act("started", "restart", "ticker")
	if i := p.of("ticker"); i.Generation != 2 {
		t.Errorf("ticker after restart: %v", i)
	}
	act("started", "restart", "--group", "workers", "--rolling")
	act("stopped", "kill", "worker#2")
	act("accepted", "start", "worker#2", "--no-wait")
	p.running("worker#2")
	act("started", "start", "late")
	act("started", "scale", "worker", "3")
	p.running("worker#3")
	p.must("scale", "worker", "1")
	p.waitFor("one worker is left", func() bool {
		return len(slices.Collect(maps.Keys(p.ps()))) == 3
	})
	// One JSON line for each step.
	lines := strings.Split(strings.TrimSpace(p.must("stop", "--app", "acc", "-o", "json", "--watch")), "\n")
	for _, line := range lines[:len(lines)-1] {
		p.has("stop --watch", line, "name", "status", "state", "detail")
	}
	for name, i := range p.ps() {
		if i.Status != "stopped" || i.Desired != "down" {
			t.Errorf("%s: %v", name, i)
		}
	}
}

type outcome struct{ Name, Outcome, Status, Detail string }

func (p *peerd) outcomes(text string) (all []outcome) {
	p.t.Helper()
	p.decode(text, &all)
	return all
}

// What fails exits non-zero and says who and why.
func TestOutcomesThatAreNoSuccess(t *testing.T) {
	t.Parallel()
	p := start(t, `
defaults: {restart: {policy: never}}
components:
  broken: {command: [/bin/false], ready: {startSeconds: 10s}, enabled: false}
  slow: {command: [/bin/sleep, "600"], ready: {exec: [/bin/false]}, enabled: false}
  stubborn: {command: [/bin/sh, -c, "trap '' TERM; echo armed; while :; do sleep 0.05; done"], ready: {logLine: armed}, componentStopWaitTime: 3s}
`)
	p.running("stubborn")
	r := p.refused(1, "broken", "start", "broken", "-o", "json")
	if o := p.outcomes(r.stdout); len(o) != 1 || o[0].Outcome != "failed" || !strings.Contains(o[0].Detail, "exit code 1") {
		t.Errorf("broken: %v", r)
	}
	r = p.refused(4, "slow", "start", "slow", "--timeout", "200ms", "-o", "json")
	if o := p.outcomes(r.stdout); len(o) != 1 || o[0].Outcome != "timeout" {
		t.Errorf("slow: %v", r)
	}
	p.refused(4, "stubborn", "stop", "stubborn", "--timeout", "200ms")
	p.is("stubborn", "stopped") // it goes on
}

// The verbs that speak to a component.
func TestTheVerbsThatSpeakToAComponent(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	if out := p.must("send", "ticker", "GREET", `{"name":"Ada"}`, "-o", "json"); !strings.Contains(out, "Hello, Ada!") || !strings.Contains(out, `"commandStatus": "SUCCEEDED"`) {
		t.Errorf("send: %s", out)
	}
	if out := p.must("send", "ticker", "COUNTDOWN", `{"from":3}`); strings.Count(out, `"count"`) != 3 || !strings.Contains(out, "liftoff") {
		t.Errorf("a streamed reply: %s", out)
	}
	p.refused(1, "name: is empty", "send", "ticker", "GREET", "{}")
	p.refused(1, "", "send", "ticker", "NO_SUCH_COMMAND")
	p.refused(7, "no JSON", "send", "ticker", "GREET", "{")
	p.must("flush", "ticker")
	p.waitFor("the sample says that it flushed", func() bool { return strings.Contains(p.must("logs", "ticker"), "flushed") })
	p.must("dump-stack", "ticker")
	p.waitFor("a stack in the log", func() bool { return strings.Contains(p.must("logs", "ticker"), "goroutine ") })
	p.must("clear-logs", "ticker")
	if out := p.must("logs", "ticker"); strings.Contains(out, "flushed") {
		t.Errorf("after clear-logs:\n%s", out)
	}
	for _, what := range []string{"memory", "loglevels", "pid", "stats", "cpu", "threads"} {
		p.has("data "+what, p.must("data", "ticker", what, "-o", "json"), "name", "at", "what", "source", "data")
	}
	p.must("set-loglevel", "ticker", "warn")
	p.refused(1, "loud", "set-loglevel", "ticker", "ticker", "loud")
	p.refused(1, "ghost", "set-loglevel", "ticker", "ghost", "debug")
	if out := p.must("data", "ticker", "loglevels"); !strings.Contains(out, "root     warn") || !strings.Contains(out, "ticker   info") {
		t.Errorf("refused levels changed something:\n%s", out)
	}
	// --persist outlives the component.
	p.must("set-loglevel", "ticker", "ticker", "debug", "--persist")
	p.must("restart", "ticker")
	if out := p.must("data", "ticker", "loglevels"); !strings.Contains(out, "ticker   debug") {
		t.Errorf("a persistent level is gone:\n%s", out)
	}
}

// The verbs that stream.
func TestLogsAndEventsAreFollowed(t *testing.T) {
	t.Parallel()
	p := start(t, `
components:
  talker: {command: [/bin/sh, -c, "echo to out; echo to err >&2; while :; do echo tick; sleep 0.05; done"], ready: {logLine: tick}}
`)
	p.running("talker")
	if out := p.must("logs", "talker", "--stream", "err"); out != "to err\n" {
		t.Errorf("stderr alone: %q", out)
	}
	if out := p.must("logs", "talker", "--tail", "2", "--stream", "out"); strings.Count(out, "\n") != 2 {
		t.Errorf("the last two lines: %q", out)
	}
	if out := p.must("logs", "talker", "--since", "0s"); strings.Contains(out, "to out") {
		t.Errorf("what is new: %q", out)
	}
	if code := p.interruptAfter(exec.Command(program("ccpc"), "logs", "-f", "talker", "-o", "json"), 20); code != 0 {
		t.Errorf("logs -f ended with %d after Ctrl-C", code)
	}
	if code := p.interruptAfter(exec.Command(program("ccpc"), "events", "-f"), 3); code != 0 {
		t.Errorf("events -f ended with %d after Ctrl-C", code)
	}
	all := p.events()
	if out := p.must("events", "--since", fmt.Sprint(all[len(all)-2].Seq), "-o", "json"); strings.Count(out, "\n") != 1 {
		t.Errorf("what follows the last but one: %s", out)
	}
}

// The verbs that need no peer.
func TestTheVerbsOfFiles(t *testing.T) {
	t.Parallel()
	p := prepare(t, pair)
	p.must("validate", p.profile)
	p.has("validate", p.must("validate", p.profile, "-o", "json"), "valid", "hash", "instances", "warnings")
	p.has("descriptor", p.must("descriptor", descriptorFile, "-o", "json"), "guid", "version")
	if out := p.must("descriptor", descriptorFile); !strings.Contains(out, "guid: CCPComponent") {
		t.Errorf("descriptor:\n%s", out)
	}
	p.must("version")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		p.must("completion", shell)
	}
	for _, r := range []result{p.exec("peerd", "validate", p.profile), p.exec("peerd", "schema"), p.exec("peerd", "version"), p.exec("peerd", "--help"), p.exec("peerd", "run", "--help")} {
		if r.code != 0 || r.stdout == "" {
			t.Errorf("want success: %v", r)
		}
	}
	p.has("the schema", p.exec("peerd", "schema").stdout, "$schema", "properties")
}

// `ccpc new NAME` writes a folder that builds and runs.
func TestANewComponentBuildsAndRuns(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	p := prepare(t, "components: {demo: {descriptor: demo/ServiceDescriptor.xml, command: [demo/demo]}}")
	p.must("new", "demo", "--checkout", root)
	build := exec.Command("go", "build", "-o", "demo", ".")
	build.Dir = p.path("demo")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	p.run()
	p.ready()
	p.running("demo")
	p.refused(7, "", "new", "demo", "--checkout", root)
}

// Errors are JSON where JSON was asked for.
func TestErrorsAreJSONWithTheirCode(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	for want, args := range map[string][]string{
		"usage": {"data", "ticker", "gossip"}, "notFound": {"get", "ghost"}, "invalid": {"validate", "ghost.yaml"},
		"unreachable": {"ps", "--socket", p.path("none.sock")},
	} {
		r := p.ccpc(append(args, "-o", "json")...)
		var e struct {
			Error struct{ Code, Message string }
		}
		p.decode(r.stderr, &e)
		if e.Error.Code != want || e.Error.Message == "" || r.code == 0 {
			t.Errorf("want %s: %v", want, r)
		}
	}
	// Errors come at once, not after a patience.
	began := time.Now()
	p.refused(5, p.path("none.sock"), "ps", "--socket", p.path("none.sock"))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("to find nobody took %v", took)
	}
}
