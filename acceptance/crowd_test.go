//go:build linux

package acceptance_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crowd is a profile of so many plain children.
func crowd(n int, more string) string {
	var body strings.Builder
	body.WriteString("defaults: {ready: {startSeconds: 1ms}, restart: {delay: 10ms, limit: {count: 100, within: 1s}}}\ncomponents:\n" + more)
	for i := range n {
		fmt.Fprintf(&body, "  c%04d: {command: [/bin/sleep, '600']}\n", i)
	}
	return body.String()
}

// flooder writes 1 GiB and then rests.
const flooder = "  flood: {command: [/bin/sh, -c, \"head -c 1073741824 /dev/zero | tr '\\\\0' x | fold -w 100; echo all >&2; exec sleep 600\"], logs: {maxSize: 4MiB, maxFiles: 2}}\n"

// Issue 3: 1,000 plain children start, survive a mass SIGKILL and stop; control
// answers during a 1 GiB log flood from one of them. The time of an answer is
// measured by BenchmarkControlDuringAFlood.
func TestAThousandChildrenAndAFlood(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a thousand processes are not short")
	}
	const n = 1000
	p := start(t, crowd(n, flooder))
	up := func(generation uint64) func() bool {
		return func() bool {
			return countOf(p.ps(), func(i instance) bool { return i.Status == "running" && i.Generation >= generation }) >= n
		}
	}
	p.waitFor("all run", up(1))
	for name, i := range p.ps() {
		if name == "flood" {
			continue
		}
		if err := syscall.Kill(i.Pid, syscall.SIGKILL); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.waitFor("all run again", up(2))
	for name, i := range p.ps() {
		if name != "flood" && (i.Restarts != 1 || i.LastExit == nil || i.LastExit.Signal != "SIGKILL") {
			t.Errorf("%s: %v", name, i)
		}
	}
	p.waitFor("the flood is over", func() bool { return strings.Contains(p.must("logs", "flood", "--stream", "err"), "all") })
	p.must("stop", "--all")
	if down := countOf(p.ps(), func(i instance) bool { return i.Status == "stopped" }); down != n+1 {
		t.Errorf("%d of %d are stopped", down, n+1)
	}
	p.none()
}

// The time of an answer of control while one of a thousand children floods its
// stdout.
func BenchmarkControlDuringAFlood(b *testing.B) {
	const n = 1000
	p := start(b, crowd(n, "  flood: {command: [/usr/bin/yes, a line of a flood that nobody will ever read]}\n"))
	p.waitFor("all run", func() bool {
		return countOf(p.ps(), func(i instance) bool { return i.Status == "running" }) > n
	})
	for _, path := range []string{"/v1/components/c0500", "/v1/status", "/v1/components"} {
		b.Run(path, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if code := p.get(path); code != http.StatusOK {
					b.Fatalf("status %d", code)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
			b.ReportMetric(float64(took[len(took)-1])/1e6, "max-ms")
		})
	}
}
