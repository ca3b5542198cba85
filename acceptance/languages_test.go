//go:build linux

package acceptance_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ccp/spec.md is all that an author in another language needs: what `ccpc new
// --lang python` writes, which is the sample, was written from it alone, and lives
// like the Go one.
func TestAComponentInPython(t *testing.T) {
	t.Parallel()
	python := pythonWithGRPC(t)
	p := prepare(t, "components:\n  snake: {command: ["+python+", snake/component.py], ccp: true, config: {interval: 0.1}}\n"+
		"  lame: {command: ["+python+", snake/component.py], ccp: true, config: {interval: soon}, restart: {policy: never}}\n")
	p.must("new", "snake", "--lang", "python")
	p.run()
	p.ready()
	p.running("snake")
	if got := p.must("report-state", "snake"); !strings.Contains(got, "COMPONENT_EXECUTION") {
		t.Errorf("report-state: %s", got)
	}
	p.must("set-loglevel", "snake", "ticker", "debug")
	p.waitFor("a debug line appears", func() bool { return strings.Contains(p.must("logs", "snake"), "[DEBUG] ticker: tick") })
	p.refused(1, "loggers: root, ticker", "set-loglevel", "snake", "nobody", "debug")
	if got := p.must("data", "snake", "stats", "--count", "3", "--interval", "50ms", "-o", "json"); strings.Count(got, `"ticks"`) != 3 {
		t.Errorf("data: %s", got)
	}
	if got := p.must("send", "snake", "GREET", `{"name":"Ada"}`); !strings.Contains(got, "Hello, Ada!") {
		t.Errorf("send: %s", got)
	}
	p.must("stop", "snake")
	history := p.must("history", "snake")
	for _, state := range []string{"COMPONENT_STOP_TIME_WAIT", "COMPONENT_STOP_EXECUTION", "COMPONENT_STOP_CLEANUP", "code 0"} {
		if !strings.Contains(history, state) {
			t.Errorf("no %s in the history:\n%s", state, history)
		}
	}
	p.waitFor("what it says of its end is shown", func() bool { return strings.Contains(p.must("get", "lame"), "it is a number of seconds") })
}

// pythonWithGRPC finds a Python that has what the sample needs.
func pythonWithGRPC(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"../.python/bin/python3", "python3"} {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err == nil && exec.Command(path, "-c", "import grpc, sys; sys.path.insert(0, '../exchange/stream'); grpc.protos('exchange.proto')").Run() == nil {
			return path
		}
	}
	t.Skip("no python3 with grpcio and grpcio-tools (see .ci/programs)")
	return ""
}
