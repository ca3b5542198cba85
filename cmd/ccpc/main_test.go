package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/api/apitest"
	"github.com/seed-04209a44/peerd/exchange"
)

// quickExit keeps a ccpc with the race detector from waiting a second before it
// ends.
const quickExit = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if err := os.Setenv("GORACE", quickExit); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"ccpc": main})
}

// TestScripts runs each testdata/*.txtar against a peer of canned answers on a
// real socket, $WORK/run/peerd.sock, which PEERD_SOCKET names.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		Setup:               startPeer,
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// startPeer serves a canned peer until the script ends.
func startPeer(env *testscript.Env) error {
	path, _, err := serve(env.Defer)
	env.Setenv("PEERD_SOCKET", path)
	env.Setenv("GORACE", quickExit)
	return err
}

// serve serves a canned peer on a socket; deferred is told how to stop it.
func serve(deferred func(func())) (string, *apitest.Peer, error) {
	// A test's own folder can be too deep for the name of a socket.
	dir, err := os.MkdirTemp("", "ccpc")
	if err != nil {
		return "", nil, err
	}
	deferred(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "run", "peerd.sock")
	l, err := api.ListenUnix(path)
	if err != nil {
		return "", nil, err
	}
	authorize, err := api.Access(nil)
	if err != nil {
		return "", nil, err
	}
	var mux exchange.Mux
	peer := apitest.New()
	peer.Register(&mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- api.NewServer(api.Options{Commands: &mux, Authorize: authorize}).Serve(ctx, l)
	}()
	deferred(func() {
		cancel()
		<-done
	})
	return path, peer, nil
}

// exits runs ccpc and compares its exit code: exits CODE ARG…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	code := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = strconv.Itoa(exit.ExitCode())
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}
