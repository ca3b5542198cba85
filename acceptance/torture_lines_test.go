//go:build linux

package acceptance_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Issue 4: a component that logs numbered lines across kills of either: each
// line is captured exactly once, over rotation too.
func TestEachLineIsCapturedOnceAcrossKills(t *testing.T) {
	t.Parallel()
	const lines = 100_000
	p := start(t, fmt.Sprintf(`
components:
  counter:
    command: [/bin/sh, -c, "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); [ $((i %% 500)) = 0 ] && sleep 0.02; done; exec sleep 600"]
    logs: {maxSize: 100KiB, maxFiles: 50}
`, lines))
	p.running("counter")
	before := p.pids()
	for range rounds(4, 20) {
		p.killPeerd(nil)
		p.killKeeper()
	}
	var captured []byte
	p.waitFor("the last line", func() bool {
		captured = p.captured("counter")
		return bytes.HasSuffix(captured, []byte("\n"+strconv.Itoa(lines-1)+"\n"))
	})
	next := 0
	for line := range strings.Lines(string(captured)) {
		if line != strconv.Itoa(next)+"\n" {
			t.Fatalf("line %d is %q", next, line)
		}
		next++
	}
	if next != lines {
		t.Errorf("%d lines, want %d", next, lines)
	}
	if now := p.pids(); now["counter"] != before["counter"] {
		t.Errorf("was %v and is %v", before, now)
	}
}
