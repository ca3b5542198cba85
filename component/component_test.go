package component_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/component"
	"github.com/seed-04209a44/peerd/component/componenttest"
	"github.com/seed-04209a44/peerd/exchange"
)

// life is a component made of functions that notes what is called.
type life struct {
	configure, connect, start, execute, drain, cleanup func(context.Context) error

	mu    sync.Mutex // guards all below
	cfg   *component.Config
	calls []string
}

func (l *life) note(ctx context.Context, name string, do func(context.Context) error) error {
	l.mu.Lock()
	l.calls = append(l.calls, name)
	l.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(ctx)
}

func (l *life) called() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.calls, " ")
}

func (l *life) Configure(ctx context.Context, cfg *component.Config) error {
	l.mu.Lock()
	l.cfg = cfg
	l.mu.Unlock()
	return l.note(ctx, "configure", l.configure)
}
func (l *life) Connect(ctx context.Context) error { return l.note(ctx, "connect", l.connect) }
func (l *life) Start(ctx context.Context) error   { return l.note(ctx, "start", l.start) }
func (l *life) Drain(ctx context.Context) error   { return l.note(ctx, "drain", l.drain) }
func (l *life) Cleanup(ctx context.Context) error { return l.note(ctx, "cleanup", l.cleanup) }
func (l *life) Execute(ctx context.Context) error {
	if l.execute == nil {
		l.execute = untilStopped
	}
	return l.note(ctx, "execute", l.execute)
}

func untilStopped(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

var info = component.Info{Name: "test", Version: "1.0", Loggers: []string{"work", "net"}}

const (
	up       = "COMPONENT_LAUNCH COMPONENT_CONFIGURATION COMPONENT_CONNECT COMPONENT_START COMPONENT_EXECUTION"
	down     = " COMPONENT_STOP_TIME_WAIT COMPONENT_STOP_EXECUTION COMPONENT_STOP_CLEANUP"
	allCalls = "configure connect start execute drain cleanup"
)

// Every way a life can go: what is called, what is reported, how it ends.
func TestLives(t *testing.T) {
	failed := func(context.Context) error { return errors.New("no luck") }
	panicked := func(context.Context) error { panic("on purpose") }
	for name, c := range map[string]struct {
		life   *life
		stop   string // the state in which it is told to stop; "" it ends by itself
		calls  string
		states string
		failed string // part of the one ERROR report
		code   int
	}{
		"stopped": {&life{}, "COMPONENT_EXECUTION", allCalls, up + down, "", 0},
		"done":    {&life{execute: func(context.Context) error { return nil }}, "", "configure connect start execute cleanup", up + down, "", 0},
		"configure fails": {
			&life{configure: failed}, "", "configure cleanup",
			"COMPONENT_LAUNCH COMPONENT_CONFIGURATION COMPONENT_STOP_CLEANUP", "COMPONENT_CONFIGURATION: no luck", 1,
		},
		"connect fails": {
			&life{connect: failed}, "", "configure connect cleanup",
			"COMPONENT_LAUNCH COMPONENT_CONFIGURATION COMPONENT_CONNECT COMPONENT_STOP_CLEANUP", "COMPONENT_CONNECT: no luck", 1,
		},
		"execute fails":         {&life{execute: failed}, "", "configure connect start execute cleanup", up + down, "COMPONENT_EXECUTION: no luck", 1},
		"drain fails":           {&life{drain: failed}, "COMPONENT_EXECUTION", allCalls, up + down, "", 0},
		"cleanup fails":         {&life{cleanup: failed}, "COMPONENT_EXECUTION", allCalls, up + down, "COMPONENT_STOP_CLEANUP: no luck", 1},
		"execute fails in stop": {&life{execute: func(ctx context.Context) error { <-ctx.Done(); return errors.New("no luck") }}, "COMPONENT_EXECUTION", allCalls, up + down, "COMPONENT_STOP_EXECUTION: no luck", 1},
		"start panics":          {&life{start: panicked}, "", "configure connect start", "COMPONENT_LAUNCH COMPONENT_CONFIGURATION COMPONENT_CONNECT COMPONENT_START", "panic: on purpose", 70},
		"execute panics":        {&life{execute: panicked}, "", "configure connect start execute", up, "panic: on purpose", 70},
		"stopped while it starts": {
			&life{connect: untilStopped}, "COMPONENT_CONNECT", "configure connect cleanup",
			"COMPONENT_LAUNCH COMPONENT_CONFIGURATION COMPONENT_CONNECT COMPONENT_STOP_CLEANUP", "", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer := componenttest.Start(t, info, c.life, componenttest.Options{})
				code := 0
				if c.stop != "" {
					peer.WaitState(c.stop)
					synctest.Wait() // what it does in that state has begun
					code = peer.Stop()
				} else {
					code = peer.Wait()
				}
				if code != c.code {
					t.Errorf("exit code %d, want %d", code, c.code)
				}
				if got := c.life.called(); got != c.calls {
					t.Errorf("called  %s\nwant    %s", got, c.calls)
				}
				if got := strings.Join(peer.States(), " "); got != c.states {
					t.Errorf("states  %s\nwant    %s", got, c.states)
				}
				checkFailure(t, peer.Reports(), c.failed)
			})
		})
	}
}

func checkFailure(t *testing.T, reports []ccp.StatusEvent, want string) {
	t.Helper()
	var errs []string
	for _, r := range reports {
		if r.StatusType == ccp.Error {
			errs = append(errs, r.State+": "+r.ErrorMessage)
		}
	}
	switch {
	case want == "" && len(errs) > 0:
		t.Errorf("errors reported: %q", errs)
	case want != "" && (len(errs) != 1 || !strings.Contains(errs[0], want)):
		t.Errorf("errors reported: %q, want one with %q", errs, want)
	}
}

// A stop has one budget: drain's and cleanup's contexts end with it.
func TestStopBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &life{drain: untilStopped, cleanup: func(ctx context.Context) error { <-ctx.Done(); return nil }}
		peer := componenttest.Start(t, info, l, componenttest.Options{})
		peer.WaitState("COMPONENT_EXECUTION")
		began := time.Now()
		ask := ccp.Shutdown{StopWaitTimeMs: 3000, Reason: "test"}
		if err := peer.InitiateShutdown(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
		ask.StopWaitTimeMs = 60000 // asking again does not make it longer
		if err := peer.InitiateShutdown(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
		if code := peer.Wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("the stop took %v, want the budget of 3s", took)
		}
	})
}

// A report that the peer refuses changes nothing in the component.
func TestRefusedReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &life{}
		peer := componenttest.Start(t, info, l, componenttest.Options{OnStatus: func(e ccp.StatusEvent) error {
			if e.State == "COMPONENT_CONNECT" {
				return fmt.Errorf("%s is not allowed here", e.State)
			}
			return nil
		}})
		peer.WaitState("COMPONENT_EXECUTION")
		if code := peer.Stop(); code != 0 || l.called() != allCalls {
			t.Errorf("exit code %d after %s", code, l.called())
		}
	})
}

func TestConfiguration(t *testing.T) {
	l := &life{}
	peer := componenttest.Start(t, info, l, componenttest.Options{
		Values:     map[string]any{"interval": "250ms", "size": 3},
		Arguments:  map[string]string{"url": "x"},
		Secrets:    map[string]string{"TOKEN": "s3cret"},
		Loggers:    map[string]string{"work": "debug", "new": "error"},
		Named:      map[string]any{"db": map[string]any{"host": "h"}},
		Properties: []ccp.Property{{Name: "color", Value: "blue", Type: "string"}},
		Ports:      ccp.Ports{Output: []ccp.Port{{Name: "OUT"}}},
	})
	peer.WaitState("COMPONENT_EXECUTION")
	var into struct {
		Interval component.Duration `json:"interval"`
		Size     int                `json:"size"`
	}
	if err := l.cfg.Decode(&into); err != nil || time.Duration(into.Interval) != 250*time.Millisecond || into.Size != 3 {
		t.Errorf("decoded %+v, %v", into, err)
	}
	if err := l.cfg.Decode(&struct{ Size int }{}); err == nil || !strings.Contains(err.Error(), "interval") {
		t.Errorf("an unknown key: %v", err)
	}
	if l.cfg.Arguments["url"] != "x" || l.cfg.Secrets["TOKEN"] != "s3cret" || l.cfg.Properties["color"] != "blue" ||
		string(l.cfg.Named["db"]) != `{"host":"h"}` || l.cfg.Ports.Output[0].Name != "OUT" || l.cfg.Address != "test__1_0__component" {
		t.Errorf("configuration %+v", l.cfg)
	}
	levels, err := peer.DataOnce(t.Context(), ccp.LogLevels)
	var got map[string]string
	if err := errors.Join(err, levels.Value(ccp.LogLevels, &got)); err != nil || got["work"] != "debug" || got["new"] != "error" || got["net"] != "info" {
		t.Errorf("levels %v, %v", got, err)
	}
}

func TestSetLogLevel(t *testing.T) {
	peer := componenttest.Start(t, component.Info{Name: "test", Loggers: []string{"lone"}}, &life{}, componenttest.Options{
		Loggers: map[string]string{"root": "info", "lone": "info"},
	})
	peer.WaitState("COMPONENT_EXECUTION")
	ctx := t.Context()
	got, err := peer.SetLogLevel(ctx, map[string]string{"lone": "TRACE"})
	if err != nil || got["lone"] != "trace" || got["root"] != "info" {
		t.Errorf("levels %v, %v", got, err)
	}
	if !component.Logger("lone").IsTrace() || component.Logger("").IsDebug() {
		t.Error("the loggers do not know")
	}
	for _, levels := range []map[string]string{
		{"lone": "off", "nobody": "debug"},
		{"root": "loud", "lone": "off"},
	} {
		_, err := peer.SetLogLevel(ctx, levels)
		var reply *exchange.ReplyError
		if !errors.As(err, &reply) {
			t.Errorf("%v: %v", levels, err)
		} else if !strings.Contains(err.Error(), "lone") && !strings.Contains(err.Error(), "levels: trace") {
			t.Errorf("%v: %v does not say what exists", levels, err)
		}
		if !component.Logger("lone").IsTrace() {
			t.Errorf("%v: something changed", levels)
		}
	}
}

func TestPrimaryRefusesOldTerms(t *testing.T) {
	peer := componenttest.Start(t, info, &life{}, componenttest.Options{})
	ctx := t.Context()
	if err := peer.Primary(ctx, true, 7); err != nil {
		t.Error(err)
	}
	if err := peer.Primary(ctx, false, 6); err == nil || !strings.Contains(err.Error(), "7") {
		t.Errorf("term 6 after 7: %v", err)
	}
	if err := peer.Primary(ctx, false, 7); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotThereIsNotSupported(t *testing.T) {
	peer := componenttest.Start(t, info, &life{}, componenttest.Options{})
	ctx := t.Context()
	for name, err := range map[string]error{
		"FLUSH_MESSAGES": peer.FlushMessages(ctx), "CLEAR_OUT_LOGS": peer.ClearOutLogs(ctx), "CLEAR_ERR_LOGS": peer.ClearErrLogs(ctx),
	} {
		var reply *exchange.ReplyError
		if !errors.As(err, &reply) || reply.Details != "not supported" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h, err := peer.HealthCheck(ctx); err != nil || !h.Healthy {
		t.Errorf("HEALTH_CHECK: %+v, %v", h, err)
	}
	d, err := peer.DataOnce(ctx, ccp.ComponentStats)
	if err != nil || d.Errors[ccp.ComponentStats] != "not supported" {
		t.Errorf("COMPONENT_STATS: %+v, %v", d, err)
	}
}

// Inside a component the peer is reached through the context that the SDK gave.
func TestCallsToThePeer(t *testing.T) {
	answer := make(chan string, 1)
	l := &life{
		start: func(ctx context.Context) error { return component.Peer().Progress(ctx, 0.5, "half way") },
		execute: func(ctx context.Context) error {
			out, err := component.Peer().Call(ctx, "LOOKUP", map[string]string{"key": "a"})
			answer <- fmt.Sprint(string(out), err)
			return untilStopped(ctx)
		},
	}
	peer := componenttest.Start(t, info, l, componenttest.Options{Handlers: map[string]exchange.Handler{
		"LOOKUP": ccp.Handle(func(_ context.Context, in map[string]string) (json.RawMessage, error) {
			return json.RawMessage(`{"value":"` + in["key"] + `1"}`), nil
		}),
	}})
	if got := <-answer; got != `{"value":"a1"}<nil>` {
		t.Error(got)
	}
	if !slices.ContainsFunc(peer.Reports(), func(e ccp.StatusEvent) bool {
		return e.Progress != nil && *e.Progress == 0.5 && e.State == "COMPONENT_START"
	}) {
		t.Errorf("no progress in %+v", peer.Reports())
	}
}
