package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestInterrupt sends Ctrl-C to verbs that follow: they end with 0 once they
// have shown something, and what they asked for is cancelled in the component.
func TestInterrupt(t *testing.T) {
	for _, args := range []string{
		"data ticker stats --count -1 --interval 5ms -o json",
		"logs -f ticker",
		"events -f",
		"ps --watch",
		"top --interval 5ms",
	} {
		t.Run(args, func(t *testing.T) {
			path, peer, err := serve(t.Cleanup)
			if err != nil {
				t.Fatal(err)
			}
			code, stderr := interruptAfterLine(t, path, strings.Fields(args)...)
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d, stderr %q; want 0 and none", code, stderr)
			}
			if strings.HasPrefix(args, "ps") || strings.HasPrefix(args, "top") {
				return // they ask again and again
			}
			eventually(t, "the component's operation was cancelled", func() bool { return peer.Cancelled.Load() == 1 })
		})
	}
}

// TestInterruptedAct is told apart: the verb did not see its outcome.
func TestInterruptedAct(t *testing.T) {
	path, _, err := serve(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	code, stderr := interruptAfterLine(t, path, "send", "ticker", "HANG")
	if code != 1 || !strings.Contains(stderr, "interrupted") {
		t.Errorf("exit code %d, stderr %q; want 1 and that it was interrupted", code, stderr)
	}
}

// interruptAfterLine runs ccpc, sends SIGINT when it has printed a line, and
// returns its exit code and stderr.
func interruptAfterLine(t *testing.T, socket string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ccpc", args...)
	cmd.Env = append(os.Environ(), "PEERD_SOCKET="+socket)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Error("no output")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	for lines.Scan() {
	}
	_ = cmd.Wait() // its exit code is the result
	return cmd.ProcessState.ExitCode(), stderr.String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}
