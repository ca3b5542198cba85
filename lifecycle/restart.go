package lifecycle

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// SpawnRetryMax bounds the delay before another try after a spawn error: what
// stood in the way (no such file, no process left) may be mended any moment,
// and nothing is burnt by trying.
const SpawnRetryMax = 3 * time.Second

// MaxLimitCount bounds RestartPolicy.LimitCount and with it what a Book holds.
const MaxLimitCount = 1000

// Book is what the restart policy remembers of an instance. Its zero value is
// an instance that never crashed.
type Book struct {
	Streak int         // backoffs since the last stable run
	Ends   []time.Time // ends that may count for the limit, oldest first; never written in place
}

// End is how a generation ended that nobody told to.
type End struct {
	Exit       Exit
	RanFor     time.Duration // in Running; 0 if it never was
	Failure    string        // it failed for this reason, whatever Exit says
	NotSpawned bool          // there was no process at all
	Final      bool          // a retry cannot help
	Revive     bool          // start it again whatever the mode is
}

// Verdict is what follows an End.
type Verdict struct {
	Status Status        // Backoff, Completed or Failed
	Delay  time.Duration // of Backoff
	Reason string
	Book   Book
}

// Decide says what follows end at the instant now. rand in [0,1) places the
// delay within its jitter. It is pure.
func Decide(p Policy, b Book, end End, now time.Time, rand float64) Verdict {
	r := p.Restart
	v := Verdict{Reason: end.describe(), Book: b.afterRun(r, end.RanFor)}
	switch {
	case end.Final:
		v.Status = Failed
	case p.OneShot && end.succeeded(), !r.wants(end) && end.succeeded():
		v.Status = Completed
	case !r.wants(end):
		v.Status = Failed
	default:
		v.restart(r, end, now, rand)
	}
	return v
}

// restart fills in a verdict of Backoff, unless the crash-loop limit is reached.
func (v *Verdict) restart(r RestartPolicy, end End, now time.Time, rand float64) {
	if !end.NotSpawned && r.LimitCount > 0 {
		v.Book.Ends = r.count(v.Book.Ends, now)
		if n := len(v.Book.Ends); n >= r.limit() {
			v.Status = Failed
			v.Reason = fmt.Sprintf("ended %d times within %v (limit %d within %v), last: %s",
				n, now.Sub(v.Book.Ends[0]).Round(time.Millisecond), r.LimitCount, r.LimitWithin, v.Reason)
			return
		}
	}
	v.Status = Backoff
	v.Delay = r.backoff(v.Book.Streak, rand)
	if end.NotSpawned {
		v.Delay = min(v.Delay, SpawnRetryMax)
	}
	v.Book.Streak++
}

// afterRun returns the book after a run of length ran: a stable one starts the
// backoff over.
func (b Book) afterRun(r RestartPolicy, ran time.Duration) Book {
	if r.ResetAfter > 0 && ran >= r.ResetAfter {
		b.Streak = 0
	}
	return b
}

// wants reports whether the policy restarts after end.
func (r RestartPolicy) wants(end End) bool {
	switch {
	case end.Revive:
		return true
	case r.Mode == Always:
		return true
	case r.Mode == OnFailure:
		return end.Failure != "" || end.NotSpawned || r.isFailure(end.Exit)
	}
	return false
}

// isFailure reports whether OnFailure restarts after x.
func (r RestartPolicy) isFailure(x Exit) bool {
	switch {
	case len(r.ExitCodes) == 0 && len(r.Signals) == 0:
		return !x.Success()
	case x.Code >= 0:
		return slices.Contains(r.ExitCodes, x.Code)
	case x.Signal != "":
		return slices.Contains(r.Signals, x.Signal)
	}
	return true // an unknown end is no success
}

// count returns a new slice of the ends that lie within the window, now added.
func (r RestartPolicy) count(ends []time.Time, now time.Time) []time.Time {
	old := 0
	for old < len(ends) && r.LimitWithin > 0 && now.Sub(ends[old]) > r.LimitWithin {
		old++
	}
	old = max(old, len(ends)+1-r.limit())
	counted := make([]time.Time, 0, len(ends)-old+1)
	return append(append(counted, ends[old:]...), now)
}

func (r RestartPolicy) limit() int { return min(r.LimitCount, MaxLimitCount) }

// backoff returns the delay before restart number streak (from 0) of a row:
// exponential, at most MaxDelay, and spread by Jitter on both sides of itself
// as far as MaxDelay allows, so that it still varies at the cap.
func (r RestartPolicy) backoff(streak int, rand float64) time.Duration {
	if r.Delay <= 0 {
		return 0
	}
	limit := math.MaxInt64 / 2.0
	if r.MaxDelay > 0 {
		limit = float64(r.MaxDelay)
	}
	d := min(float64(r.Delay)*math.Pow(max(r.Factor, 1), float64(streak)), limit)
	jitter := min(max(r.Jitter, 0), 1)
	low, high := d*(1-jitter), min(d*(1+jitter), limit)
	return time.Duration(low + rand*(high-low))
}

// succeeded reports whether the generation did what it was for.
func (e End) succeeded() bool { return e.Failure == "" && !e.NotSpawned && e.Exit.Success() }

// describe says how the generation ended, for people.
func (e End) describe() string {
	if e.Failure != "" {
		return e.Failure
	}
	return e.Exit.String()
}

// Success reports whether the process ended with code 0.
func (x Exit) Success() bool { return x.Code == 0 && x.Signal == "" }

// String says how the process ended: "exit code 3", with the reason where the
// component gave one, "killed by SIGKILL", or the reason where its end is not
// known.
func (x Exit) String() string {
	switch {
	case x.Signal != "":
		return "killed by " + x.Signal
	case x.Code >= 0 && x.Reason != "":
		return fmt.Sprintf("exit code %d: %s", x.Code, x.Reason)
	case x.Code >= 0:
		return fmt.Sprintf("exit code %d", x.Code)
	case x.Reason != "":
		return x.Reason
	}
	return "ended in an unknown way"
}
