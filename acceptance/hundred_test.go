//go:build linux

package acceptance_test

import (
	"fmt"
	"strings"
	"testing"
)

// Issue 2: 100 components start to COMPONENT_EXECUTION under one peerd and
// stop again with none left.
func TestAHundredComponentsStartAndStop(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	body.WriteString("defaults: {descriptor: '${DESCRIPTOR}', command: ['${SAMPLE}']}\ncomponents:\n")
	for n := range 100 {
		fmt.Fprintf(&body, "  c%02d: {config: {interval: 1s}}\n", n)
	}
	p := start(t, body.String())
	p.waitFor("all in COMPONENT_EXECUTION", func() bool {
		return strings.Count(p.must("ps", "-o", "json"), `"COMPONENT_EXECUTION"`) == 100
	})
	pids := map[int]bool{}
	for name, i := range p.ps() {
		if i.Restarts != 0 || i.Generation != 1 || !alive(i.Pid) {
			t.Errorf("%s: %v", name, i)
		}
		pids[i.Pid] = true
	}
	if len(pids) != 100 {
		t.Errorf("%d processes", len(pids))
	}
	p.must("stop", "--all")
	for name, i := range p.ps() {
		if i.Status != "stopped" || i.LastExit.Code != 0 {
			t.Errorf("%s: %v", name, i)
		}
	}
	if left := p.processes(); len(left) > 0 {
		t.Errorf("%d processes left", len(left))
	}
}
