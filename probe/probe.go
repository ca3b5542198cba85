package probe

import (
	"context"
	"time"
)

// Spec is one check: exactly one of Exec, HTTP, TCP, GRPC, or Func is set.
type Spec struct {
	Exec []string // argv; exit 0 passes
	HTTP string   // URL; 2xx and 3xx pass
	TCP  string   // host:port; a connection passes
	GRPC string   // host:port[/service]; grpc.health.v1 SERVING passes
	Func func(ctx context.Context) (ok bool, detail string)

	Dir string // of Exec
	Env []string
}

// Result of one check. Detail is bounded (4 KiB) and says why it failed.
type Result struct {
	OK     bool
	Detail string
	Took   time.Duration
}

// Check runs the check once. When ctx ends, an exec probe's whole tree is
// killed before Check returns.
func Check(ctx context.Context, s Spec) Result { panic("seam") }

// Schedule says when to check and what follows.
type Schedule struct {
	Interval    time.Duration // between the end of one check and the next
	Timeout     time.Duration // of each
	Failures    int           // consecutive ones until unhealthy
	Successes   int           // consecutive ones until healthy again; default 1
	StartPeriod time.Duration // failures in it do not count
}

// Health is the verdict over several checks.
type Health uint8

// The verdicts.
const (
	Unknown Health = iota
	Healthy
	Unhealthy
)

// Tracker turns results into verdicts; it is pure.
type Tracker struct{}

// Observe adds the result of a check that ended `since` after the start.
func (t *Tracker) Observe(sch Schedule, r Result, since time.Duration) Health { panic("seam") }

// Run checks on the schedule until ctx ends, one check in flight, and calls
// changed (from the calling goroutine) when the verdict changes. It blocks.
func Run(ctx context.Context, s Spec, sch Schedule, changed func(Health, Result)) { panic("seam") }
