//go:build linux

package acceptance_test

import (
	"fmt"
	"strings"
	"testing"
)

// Issue 3: 263 distinct exits, codes 0 to 255 and signals 1 2 3 6 9 11 15, are
// recorded exactly: in ps and, as the one end of the one launch, in history.
func TestEveryExitIsRecordedExactly(t *testing.T) {
	t.Parallel()
	want := map[string]exit{}
	var body strings.Builder
	body.WriteString("defaults: {restart: {policy: never}, ready: {startSeconds: 1m}}\ncomponents:\n")
	for code := range 256 {
		name := fmt.Sprintf("code-%d", code)
		want[name] = exit{Code: code}
		fmt.Fprintf(&body, "  %s: {command: %s}\n", name, script(fmt.Sprintf("exit %d", code)))
	}
	for number, signal := range map[int]string{1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"} {
		name := fmt.Sprintf("signal-%d", number)
		want[name] = exit{Code: -1, Signal: signal}
		fmt.Fprintf(&body, "  %s: {command: %s}\n", name, script(fmt.Sprintf("ulimit -c 0; kill -%d $$", number)))
	}
	if len(want) != 263 {
		t.Fatalf("%d exits", len(want))
	}
	p := start(t, body.String())
	ended := func(i instance) bool { return i.LastExit != nil && i.Pid == 0 }
	p.waitFor("all have ended", func() bool { return countOf(p.ps(), ended) == len(want) })
	for name, i := range p.ps() {
		status := "failed"
		if i.LastExit.Code == 0 {
			status = "completed"
		}
		if *i.LastExit != want[name] || i.Status != status || i.Generation != 1 {
			t.Errorf("%s: want %+v: %v", name, want[name], i)
		}
	}
	told := map[string]int{}
	for _, r := range p.events() {
		if r.Exit == nil {
			continue
		}
		told[r.Name]++
		if *r.Exit != want[r.Name] {
			t.Errorf("history of %s: want %+v: %+v", r.Name, want[r.Name], *r.Exit)
		}
	}
	for name := range want {
		if told[name] != 1 {
			t.Errorf("history of %s has %d ends", name, told[name])
		}
	}
}
