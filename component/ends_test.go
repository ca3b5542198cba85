package component_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/handshake"
	"github.com/seed-04209a44/peerd/internal/testhost"
)

// How a process ends is the component's to say, and nothing it does to itself
// is more than that.
func TestProcessEnds(t *testing.T) {
	bin := testhost.Build(t, bad)
	for _, c := range []struct {
		mode   string
		code   int
		errs   string // part of the one ERROR report
		stderr string
	}{
		{"completes", 0, "", ""},
		{"panics", 70, "COMPONENT_EXECUTION: panic: on purpose", "badcomponent/main.go"},
		{"fails", 1, "COMPONENT_EXECUTION: the disk is gone", "the disk is gone"},
		{"fails-configure", 1, "COMPONENT_CONFIGURATION: url: is empty", ""},
		{"exit", 37, "", ""},
		{"grandchild", 37, "", ""}, // although its output is still held open
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			child, _, peer := launch(t, bin, nil, c.mode)
			if code := child.ExitCode(t); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			<-peer.endpoint.Done()
			if got := strings.Join(peer.errors, ", "); !strings.Contains(got, c.errs) || (c.errs == "") != (got == "") {
				t.Errorf("errors reported: %q, want %q", got, c.errs)
			}
			child.Stderr().Wait(t, c.stderr)
		})
	}
}

// A component that writes more than a pipe holds to its own standard output
// writes it there, and not into a pipe that nobody drains.
func TestStandardOutputIsReal(t *testing.T) {
	child, _, peer := launch(t, testhost.Build(t, bad), nil, "flood")
	peer.waitState(t, "COMPONENT_EXECUTION")
	child.Stdout().Wait(t, strings.Repeat("x", 200<<10))
	if err := peer.InitiateShutdown(t.Context(), ccp.Shutdown{StopWaitTimeMs: 5000}); err != nil {
		t.Error(err)
	}
	if code := child.ExitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The death of whoever reads a component's output is not the component's.
func TestBrokenPipesDoNotKill(t *testing.T) {
	child, _, peer := launch(t, testhost.Build(t, sample), map[string]any{"interval": "1ms"})
	peer.waitState(t, "COMPONENT_EXECUTION")
	if _, err := peer.SetLogLevel(t.Context(), map[string]string{"ticker": "debug"}); err != nil {
		t.Fatal(err)
	}
	child.HangUp()
	ticks := func() float64 {
		d, err := peer.DataOnce(t.Context(), ccp.ComponentStats)
		var stats map[string]float64
		if err := errors.Join(err, d.Value(ccp.ComponentStats, &stats)); err != nil {
			t.Fatal(err)
		}
		return stats["ticks"]
	}
	for before := ticks(); ticks() < before+10; { // each of them a line into a broken pipe
	}
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := child.ExitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// INITIATE_SHUTDOWN is acknowledged even where nothing follows; then force is
// the peer's to use.
func TestIgnoredShutdown(t *testing.T) {
	child, _, peer := launch(t, testhost.Build(t, sample), map[string]any{"interval": "1h", "ignoreShutdown": true})
	peer.waitState(t, "COMPONENT_EXECUTION")
	if err := peer.InitiateShutdown(t.Context(), ccp.Shutdown{StopWaitTimeMs: 1, Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	peer.waitState(t, "COMPONENT_STOP_TIME_WAIT")
	if err := child.Signal(syscall.SIGTERM); err != nil { // the same request again
		t.Fatal(err)
	}
	if r, err := peer.ReportState(t.Context()); err != nil || r.State != "COMPONENT_STOP_TIME_WAIT" {
		t.Errorf("%+v, %v", r, err)
	}
	child.Kill()
	if code := child.ExitCode(t); code != -1 {
		t.Errorf("exit code %d", code)
	}
}

// Before there is a peer there is nothing to stop but the process.
func TestSignalBeforeTheHandshake(t *testing.T) {
	host := &handshake.Host{Dir: testhost.Dir(t)}
	child := testhost.Start(t, host.Env(), testhost.Build(t, sample))
	if _, err := child.FirstLine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := child.ExitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if left, _ := os.ReadDir(host.Dir); len(left) != 0 {
		t.Errorf("left in the socket folder: %v", left)
	}
}

// A peer that dies before the component has started is replaced by the next:
// what was not acknowledged is reported again, and the start goes on.
func TestPeerLostWhileStarting(t *testing.T) {
	host := &handshake.Host{Dir: testhost.Dir(t)}
	child := testhost.Start(t, host.Env(), testhost.Build(t, sample))
	conn, err := host.Connect(t.Context(), child)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := exchange.NewCommand(ccp.TypeHandshake, hello)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(exchange.Frame{Command: &cmd}); err != nil {
		t.Fatal(err)
	}
	// The acknowledgement, and only then the first report, which stays unanswered.
	if f, err := conn.Recv(); err != nil || f.Reply == nil || f.Reply.CommandID != cmd.ID {
		t.Fatalf("%+v, %v; want the reply to HANDSHAKE", f, err)
	}
	if f, err := conn.Recv(); err != nil || f.Command == nil || f.Command.Type != ccp.TypeStatus {
		t.Fatalf("%+v, %v; want STATUS", f, err)
	}
	_ = conn.Close()
	if err := conn.Wait(); err != nil {
		t.Error(err)
	}

	next, err := host.Attach(t.Context(), child, conn.Address(), conn.Version())
	if err != nil {
		t.Fatal(err)
	}
	peer := newPeerSide(t, next, ccp.Configuration{Address: "orders__1_0__ticker"})
	if _, err := peer.Handshake(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	peer.waitState(t, "COMPONENT_EXECUTION")
	if !strings.HasPrefix(peer.seen(), "COMPONENT_LAUNCH ") {
		t.Errorf("states %s", peer.seen())
	}
}

// Whoever waits for a command when the component ends is answered.
func TestCommandInFlightAtTheEnd(t *testing.T) {
	child, _, peer := launch(t, testhost.Build(t, sample), map[string]any{"interval": "1h"})
	peer.waitState(t, "COMPONENT_EXECUTION")
	begun, answer := make(chan struct{}), make(chan error, 1)
	go func() {
		cmd, err := exchange.NewCommand("COUNTDOWN", map[string]any{"from": 1000, "every": "1s"})
		if err != nil {
			answer <- err
			return
		}
		once := sync.OnceFunc(func() { close(begun) })
		reply, err := peer.endpoint.Stream(context.Background(), cmd, func(exchange.Reply) error { once(); return nil })
		answer <- errors.Join(err, reply.Err())
	}()
	<-begun
	if err := peer.InitiateShutdown(t.Context(), ccp.Shutdown{StopWaitTimeMs: 5000}); err != nil {
		t.Error(err)
	}
	var reply *exchange.ReplyError
	if err := <-answer; !errors.As(err, &reply) {
		t.Errorf("the command ended with %v, want an ERROR reply", err)
	}
	if code := child.ExitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A component's children do not take themselves for components.
func TestEnvironmentIsClean(t *testing.T) {
	child, _, _ := launch(t, testhost.Build(t, bad), nil, "env")
	child.Stdout().Wait(t, "that is all")
	for name := range strings.Lines(child.Stdout().String()) {
		if handshake.Reserved(strings.TrimSpace(name)) {
			t.Errorf("the component's environment holds %s", name)
		}
	}
}

// A host that stops plugins the go-plugin way gets an orderly stop.
func TestGoPluginShutdownIsARequestToStop(t *testing.T) {
	child, _, peer := launch(t, testhost.Build(t, sample), map[string]any{"interval": "1h"})
	peer.waitState(t, "COMPONENT_EXECUTION")
	cc, err := grpc.NewClient("unix:"+peer.conn.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cc.Close() }()
	if err := cc.Invoke(t.Context(), "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
		t.Error(err)
	}
	if code := child.ExitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.HasSuffix(peer.seen(), "COMPONENT_STOP_TIME_WAIT COMPONENT_STOP_EXECUTION COMPONENT_STOP_CLEANUP") {
		t.Errorf("states %s", peer.seen())
	}
}
