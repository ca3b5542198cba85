//go:build linux

package acceptance_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// ticker is the sample component, which any test may have as a neighbour.
const ticker = `
  ticker:
    descriptor: ${DESCRIPTOR}
    command: ["${SAMPLE}"]
    config: {interval: 50ms}
`

var (
	upStates   = []string{"COMPONENT_LAUNCH", "COMPONENT_CONFIGURATION", "COMPONENT_CONNECT", "COMPONENT_START", "COMPONENT_EXECUTION"}
	stopStates = []string{"COMPONENT_STOP_TIME_WAIT", "COMPONENT_STOP_EXECUTION", "COMPONENT_STOP_CLEANUP"}
)

// Issue 2: the sample in COMPONENT_EXECUTION, its log level changed at run
// time (a debug line appears), memory and log levels asked for, an orderly
// stop with all STOP_ states in history.
func TestTheSampleLivesItsLife(t *testing.T) {
	t.Parallel()
	p := start(t, "components:"+ticker)
	p.running("ticker")
	if i := p.of("ticker"); i.State != "COMPONENT_EXECUTION" || i.CCPVersion != "1.0" || !alive(i.Pid) {
		t.Errorf("running: %+v", i)
	}
	if logs := p.must("logs", "ticker"); strings.Contains(logs, "[DEBUG]") {
		t.Errorf("debug lines before anybody asked:\n%s", logs)
	}
	var levels struct{ Levels map[string]string }
	p.decode(p.must("set-loglevel", "ticker", "ticker", "debug", "-o", "json"), &levels)
	if levels.Levels["ticker"] != "debug" || levels.Levels["root"] != "info" {
		t.Errorf("levels in force: %v", levels)
	}
	p.waitFor("a debug line", func() bool { return strings.Contains(p.must("logs", "ticker", "--tail", "5"), "[DEBUG]") })

	var memory struct {
		Source string
		Data   map[string]int64
	}
	p.decode(p.must("data", "ticker", "memory", "-o", "json"), &memory)
	for _, name := range []string{"heapUsed", "heapAllocated", "nonHeapUsed", "nonHeapAllocated"} {
		if memory.Data[name] <= 0 {
			t.Errorf("memory: no %s in %+v", name, memory)
		}
	}
	if out := p.must("data", "ticker", "loglevels"); !strings.Contains(out, "ticker   debug") {
		t.Errorf("log levels:\n%s", out)
	}

	p.must("stop", "ticker")
	i, history := p.of("ticker"), p.history("ticker")
	if i.Status != "stopped" || i.Pid != 0 || i.LastExit == nil || i.LastExit.Code != 0 || i.LastExit.Signal != "" {
		t.Errorf("after the stop: %+v", i)
	}
	if got := states(history); !slices.Equal(got, slices.Concat(upStates, stopStates)) {
		t.Errorf("states: %v", got)
	}
}

// Issue 2: a second component that ignores INITIATE_SHUTDOWN, killed at
// ComponentStopWaitTime (+≤0.5 s) with signal 9 in its history.
func TestTheStubbornIsKilledAtItsStopWaitTime(t *testing.T) {
	t.Parallel()
	const wait = 2 * time.Second
	p := start(t, `
components:
  stubborn:
    descriptor: ${DESCRIPTOR}
    command: ["${SAMPLE}"]
    config: {ignoreShutdown: true}
    componentStopWaitTime: 2s
`)
	p.running("stubborn")
	pid := p.of("stubborn").Pid
	p.must("stop", "stubborn")
	history := p.history("stubborn")
	last := history[len(history)-1]
	if last.To != lifecycle.Stopped || last.Exit == nil || last.Exit.Code != -1 || last.Exit.Signal != "SIGKILL" {
		t.Errorf("its end: %+v", last)
	}
	asked, _ := find(history, func(r record) bool { return r.To == lifecycle.Stopping })
	if took := last.At.Sub(asked.At); took < wait || took > wait+500*time.Millisecond {
		t.Errorf("killed %v after the stop, promised is %v to 0.5 s more", took, wait)
	}
	if alive(pid) {
		t.Errorf("pid %d lives", pid)
	}
}
