//go:build linux

package acceptance_test

import (
	"os"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/internal/torture"
)

// quiet brings the company back to what it was at first, and stops who ends and
// begins by himself, so that what is counted does not depend on the moment; the
// returned function starts him again.
func (x *tortured) quiet() (resume func()) {
	x.t.Helper()
	x.write(company)
	x.must("reload")
	x.must(append([]string{"start"}, toys...)...)
	x.must("stop", "short")
	return func() { x.must("start", "short") }
}

// usage is what a process holds when it has settled: what it held least in a
// while.
func (x *tortured) usage(pid int) (least torture.Usage) {
	x.t.Helper()
	for n := range 40 {
		u, err := torture.UsageOf(pid)
		if err != nil {
			x.t.Fatal(err)
		}
		if n == 0 {
			least = u
		}
		least.Files = min(least.Files, u.Files)
		least.Threads = min(least.Threads, u.Threads)
		least.MemoryKiB = min(least.MemoryKiB, u.MemoryKiB)
		time.Sleep(10 * time.Millisecond)
	}
	return least
}

// lastWords counts the goroutines in what a Go program printed when it got
// SIGQUIT, and empties the file.
func (x *tortured) lastWords(file string) (n int) {
	x.t.Helper()
	x.waitFor("the last words", func() bool {
		text, err := os.ReadFile(x.path(file))
		if err != nil {
			x.t.Fatal(err)
		}
		n = strings.Count(string(text), "\ngoroutine ")
		return strings.Contains(string(text), "\nrip ") || strings.Contains(string(text), "\npc ")
	})
	if err := os.Truncate(x.path(file), 0); err != nil {
		x.t.Fatal(err)
	}
	return n
}

// holdsNoMore wants somebody to hold what he held before, if not at once.
func (x *tortured) holdsNoMore(who string, before torture.Usage, count func() torture.Usage) {
	x.t.Helper()
	after := count()
	x.t.Logf("%s held %+v and holds %+v", who, before, after)
	for _, v := range torture.Baseline(who, before, after) {
		x.t.Errorf("%v", v)
	}
}
