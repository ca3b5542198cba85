package lifecycle

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWhoIsRestarted_10 is the table of exits × policies.
func TestWhoIsRestarted_10(t *testing.T) {
	ok, three, killed := Exit{}, Exit{Code: 3}, Exit{Code: -1, Signal: "SIGKILL"}
	unknown := Exit{Code: -1, Reason: "its end was not seen"}
	codes := RestartPolicy{Mode: OnFailure, ExitCodes: []int{3}}
	signals := RestartPolicy{Mode: OnFailure, Signals: []string{"SIGKILL"}}
	for _, c := range []struct {
		name string
		r    RestartPolicy
		end  End
		once bool
		want Status
	}{
		{"always, 0", RestartPolicy{Mode: Always}, End{Exit: ok}, false, Backoff},
		{"always, 3", RestartPolicy{Mode: Always}, End{Exit: three}, false, Backoff},
		{"always, killed", RestartPolicy{Mode: Always}, End{Exit: killed}, false, Backoff},
		{"always, one-shot, 0", RestartPolicy{Mode: Always}, End{Exit: ok}, true, Completed},
		{"always, one-shot, 3", RestartPolicy{Mode: Always}, End{Exit: three}, true, Backoff},
		{"onFailure, 0", RestartPolicy{Mode: OnFailure}, End{Exit: ok}, false, Completed},
		{"onFailure, 3", RestartPolicy{Mode: OnFailure}, End{Exit: three}, false, Backoff},
		{"onFailure, killed", RestartPolicy{Mode: OnFailure}, End{Exit: killed}, false, Backoff},
		{"onFailure, unknown", RestartPolicy{Mode: OnFailure}, End{Exit: unknown}, false, Backoff},
		{"code 3, 0", codes, End{Exit: ok}, false, Completed},
		{"code 3, 3", codes, End{Exit: three}, false, Backoff},
		{"code 3, 4", codes, End{Exit: Exit{Code: 4}}, false, Failed},
		{"code 3, killed", codes, End{Exit: killed}, false, Failed},
		{"code 3, launch timeout", codes, End{Exit: killed, Failure: "not started within 30s"}, false, Backoff},
		{"SIGKILL, killed", signals, End{Exit: killed}, false, Backoff},
		{"SIGKILL, SIGSEGV", signals, End{Exit: Exit{Code: -1, Signal: "SIGSEGV"}}, false, Failed},
		{"SIGKILL, 3", signals, End{Exit: three}, false, Failed},
		{"never, 0", RestartPolicy{Mode: Never}, End{Exit: ok}, false, Completed},
		{"never, 3", RestartPolicy{Mode: Never}, End{Exit: three}, false, Failed},
		{"never, not spawned", RestartPolicy{Mode: Never}, End{Exit: unknown, NotSpawned: true}, false, Failed},
		{"never, unhealthy", RestartPolicy{Mode: Never}, End{Exit: ok, Failure: "unhealthy", Revive: true}, false, Backoff},
		{"always, final", RestartPolicy{Mode: Always}, End{Exit: three, Final: true}, false, Failed},
	} {
		v := Decide(Policy{OneShot: c.once, Restart: c.r}, Book{}, c.end, t0, 0)
		if v.Status != c.want {
			t.Errorf("%s: %v, want %v", c.name, v.Status, c.want)
		}
	}
}

func TestDelayStaysInItsRange_11(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := RestartPolicy{
			Delay:    time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "delay")),
			Factor:   rapid.Float64Range(0, 1e6).Draw(t, "factor"),
			MaxDelay: time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "cap")),
			Jitter:   rapid.Float64Range(-1, 2).Draw(t, "jitter"),
		}
		streak := rapid.IntRange(0, 1_000_000).Draw(t, "streak")
		d := r.backoff(streak, rapid.Float64Range(0, 0.999999).Draw(t, "rand"))
		if d < 0 || r.MaxDelay > 0 && d > r.MaxDelay {
			t.Fatalf("delay %v", d)
		}
		if r.Jitter <= 0 && d < min(r.Delay, r.backoffCap()) {
			t.Fatalf("delay %v is below the first", d)
		}
	})
}

func (r RestartPolicy) backoffCap() time.Duration {
	if r.MaxDelay > 0 {
		return r.MaxDelay
	}
	return 1 << 62
}

func TestJitterVariesAtTheCap_11(t *testing.T) {
	r := RestartPolicy{Delay: time.Second, Factor: 2, MaxDelay: 4 * time.Second, Jitter: 0.2}
	if low, high := r.backoff(9, 0), r.backoff(9, 0.999); low >= high || low < 3200*time.Millisecond || high > 4*time.Second {
		t.Errorf("at the cap it varies from %v to %v", low, high)
	}
	if low, high := r.backoff(0, 0), r.backoff(0, 0.999); low != 800*time.Millisecond || high < 1190*time.Millisecond {
		t.Errorf("the first varies from %v to %v", low, high)
	}
}

func TestBookIsBounded(t *testing.T) {
	p := Policy{Restart: RestartPolicy{LimitCount: 1 << 40, LimitWithin: time.Hour}}
	var v Verdict
	for i := range 2 * MaxLimitCount {
		v = Decide(p, v.Book, End{Exit: Exit{Code: 1}}, t0.Add(time.Duration(i)), 0)
	}
	if len(v.Book.Ends) > MaxLimitCount || v.Status != Failed {
		t.Errorf("%d ends, %v", len(v.Book.Ends), v.Status)
	}
}

func TestExitSpeaks(t *testing.T) {
	for want, x := range map[string]Exit{
		"exit code 0":             {},
		"exit code 255":           {Code: 255},
		"killed by SIGKILL":       {Code: -1, Signal: "SIGKILL"},
		"not spawned: no file":    {Code: -1, Reason: "not spawned: no file"},
		"ended in an unknown way": {Code: -1},
	} {
		if got := x.String(); !strings.EqualFold(got, want) {
			t.Errorf("%+v is %q, want %q", x, got, want)
		}
	}
}
