package component_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/internal/testhost"
)

const (
	sample = "github.com/seed-04209a44/peerd/samples/CCPComponent"
	bad    = "github.com/seed-04209a44/peerd/internal/testcomponents/badcomponent"
)

func TestSampleLivesAndStops(t *testing.T) {
	child, host, peer := launch(t, testhost.Build(t, sample), map[string]any{"interval": "5ms"})
	ctx := t.Context()
	peer.waitState(t, "COMPONENT_EXECUTION")

	if r, err := peer.ReportState(ctx); err != nil || r.State != "COMPONENT_EXECUTION" || r.OperationScope != ccp.ScopeRunning {
		t.Errorf("REPORT_STATE: %+v, %v", r, err)
	}
	if _, err := peer.SetLogLevel(ctx, map[string]string{"ticker": "debug"}); err != nil {
		t.Errorf("SET_LOGLEVEL: %v", err)
	}
	child.Stderr().Wait(t, "[DEBUG] ccpcomponent.ticker: tick")
	d, err := peer.DataOnce(ctx, append(ccp.ComponentData(), "NONSENSE")...)
	if err != nil || len(d.Values) != 6 || d.Errors["NONSENSE"] != "not supported" {
		t.Errorf("DATA_REQUEST: %+v, %v", d, err)
	}
	var pid int
	if err := d.Value(ccp.PID, &pid); err != nil || pid != child.Pid() {
		t.Errorf("PID %d, want %d (%v)", pid, child.Pid(), err)
	}
	var greeting struct{ Greeting string }
	if err := peer.Do(ctx, "GREET", map[string]string{"name": "Ada"}, &greeting); err != nil || greeting.Greeting != "Hello, Ada!" {
		t.Errorf("GREET: %+v, %v", greeting, err)
	}
	if err := peer.Do(ctx, "NOBODY_KNOWS", nil, nil); !errors.Is(err, exchange.ErrUnknown) {
		t.Errorf("an unknown command: %v", err)
	}
	if err := peer.ClearOutLogs(ctx); err == nil || !strings.Contains(err.Error(), "not supported") {
		t.Errorf("CLEAR_OUT_LOGS: %v", err)
	}
	if err := peer.DumpStack(ctx); err != nil {
		t.Errorf("DUMP_STACK: %v", err)
	}
	child.Stderr().Wait(t, "goroutine 1 ")
	if err := peer.InitiateShutdown(ctx, ccp.Shutdown{StopWaitTimeMs: 5000, Reason: "test"}); err != nil {
		t.Errorf("INITIATE_SHUTDOWN: %v", err)
	}
	if code := child.ExitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	want := "COMPONENT_LAUNCH COMPONENT_CONFIGURATION COMPONENT_CONNECT COMPONENT_START COMPONENT_EXECUTION " +
		"COMPONENT_STOP_TIME_WAIT COMPONENT_STOP_EXECUTION COMPONENT_STOP_CLEANUP"
	if peer.seen() != want {
		t.Errorf("states %s", peer.seen())
	}
	if err := <-peer.done; err != nil {
		t.Errorf("the channel ended with %v", err)
	}
	if left, _ := os.ReadDir(host.Dir); len(left) != 0 {
		t.Errorf("left in the socket folder: %v", left)
	}
}

func TestComponentOutlivesItsPeer(t *testing.T) {
	child, host, first := launch(t, testhost.Build(t, sample), map[string]any{"interval": "1h"})
	first.waitState(t, "COMPONENT_EXECUTION")
	address, version := first.conn.Address(), first.conn.Version()
	greet := exchange.Command{Type: "GREET", Payload: []byte(`{"name":"Ada"}`), IdempotencyKey: "k"}
	answer, err := first.endpoint.Call(t.Context(), greet)
	if err != nil || answer.Err() != nil {
		t.Fatalf("GREET: %+v, %v", answer, err)
	}
	first.hangUp()

	conn, err := host.Attach(t.Context(), child, address, version)
	if err != nil {
		t.Fatal(err)
	}
	second := newPeerSide(t, conn, ccp.Configuration{})
	ack, err := second.Handshake(t.Context(), hello)
	if err != nil || !slices.Contains(ack.Features, ccp.FeatureIdempotency) {
		t.Fatalf("HANDSHAKE: %+v, %v", ack, err)
	}
	again, err := second.endpoint.Call(t.Context(), greet) // as if the answer had not come through
	if err != nil || string(again.Payload) != string(answer.Payload) {
		t.Errorf("GREET again: %+v, %v", again, err)
	}
	var stats map[string]float64
	if d, err := second.DataOnce(t.Context(), ccp.ComponentStats); err != nil || d.Value(ccp.ComponentStats, &stats) != nil || stats["greetings"] != 1 {
		t.Errorf("%v greetings, %v; want 1", stats["greetings"], err)
	}
	if r, err := second.ReportState(t.Context()); err != nil || r.State != "COMPONENT_EXECUTION" {
		t.Errorf("REPORT_STATE after the second attach: %+v, %v", r, err)
	}
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := child.ExitCode(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if want := "COMPONENT_STOP_TIME_WAIT COMPONENT_STOP_EXECUTION COMPONENT_STOP_CLEANUP"; second.seen() != want {
		t.Errorf("states told to the second peer: %s", second.seen())
	}
}

func TestDataStreamAndItsCancellation(t *testing.T) {
	_, _, peer := launch(t, testhost.Build(t, sample), map[string]any{"interval": "1h"})
	peer.waitState(t, "COMPONENT_EXECUTION")
	n := 0
	err := peer.Data(t.Context(), ccp.DataRequest{Identifiers: []ccp.Identifier{ccp.MemoryUsage}, RepetitionCount: 5, IntervalMs: 1},
		func(d ccp.Data) error {
			n++
			var m ccp.Memory
			if err := d.Value(ccp.MemoryUsage, &m); err != nil || m.HeapUsed <= 0 || m.HeapAllocated < m.HeapUsed {
				t.Errorf("memory %+v, %v", m, err)
			}
			return nil
		})
	if err != nil || n != 5 {
		t.Errorf("%d answers, %v; want 5", n, err)
	}
	enough := errors.New("enough")
	err = peer.Data(t.Context(), ccp.DataRequest{Identifiers: []ccp.Identifier{ccp.PID}, RepetitionCount: -1, IntervalMs: 1},
		func(ccp.Data) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("an endless request ended with %v", err)
	}
	// The component is as well as before.
	var out json.RawMessage
	if err := peer.Do(t.Context(), "GREET", map[string]string{"name": "Bob"}, &out); err != nil {
		t.Error(err)
	}
}

func TestWithoutAPeerItExplainsItself(t *testing.T) {
	child := testhost.Start(t, nil, testhost.Build(t, sample))
	if code := child.ExitCode(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	child.Stderr().Wait(t, "peerd run")
	if out := child.Stdout().String(); out != "" {
		t.Errorf("stdout %q", out)
	}
}
