package probe

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func sh(script string) Spec {
	return Spec{Exec: []string{"/bin/sh", "-c", script}, Env: os.Environ()}
}

func TestExec(t *testing.T) {
	for _, c := range []struct {
		script string
		ok     bool
		detail string
	}{
		{"exit 0", true, ""},
		{"echo fine", true, "fine\n"},
		{"echo why; echo err >&2; exit 3", false, "exit status 3\nwhy\nerr"},
		{"kill -9 $$", false, "signal: killed"},
		{"printf '\\377'", true, "\uFFFD"},
	} {
		r := Check(t.Context(), sh(c.script))
		if r.OK != c.ok || r.Detail != c.detail {
			t.Errorf("%s: %v %q", c.script, r.OK, r.Detail)
		}
	}
	if r := Check(t.Context(), Spec{Exec: []string{"/does/not/exist"}}); r.OK || !strings.Contains(r.Detail, "no such file") {
		t.Errorf("%+v", r)
	}
	if r := Check(t.Context(), sh("head -c 1000000 /dev/zero | tr '\\0' x")); !r.OK || len(r.Detail) != maxDetail {
		t.Errorf("%v, %d bytes", r.OK, len(r.Detail))
	}
	if r := Check(t.Context(), Spec{}); r.OK || r.Detail == "" {
		t.Errorf("an empty probe: %+v", r)
	}
}

// alive reports whether the process whose pid is in file lives.
func alive(t *testing.T, file string) bool {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 2000})
	}
}

// At the timeout the whole tree dies: also a member in its own session, whose
// parent is gone.
func TestExecTreeIsKilledAtTheTimeout(t *testing.T) {
	dir := t.TempDir()
	pids := []string{filepath.Join(dir, "child"), filepath.Join(dir, "orphan")}
	script := fmt.Sprintf("trap '' TERM; sh -c 'echo $$ > %s; exec sleep 1000' & (setsid sh -c 'echo $$ > %s; exec sleep 1000' &) ; wait; sleep 1000", pids[0], pids[1])
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan Result, 1)
	go func() { done <- Check(ctx, sh(script)) }()
	for _, p := range pids {
		waitFor(t, p+" is written", func() bool { b, _ := os.ReadFile(p); return len(b) > 1 })
	}
	cancel()
	if r := <-done; r.OK {
		t.Fatal("passed")
	}
	for _, p := range pids {
		waitFor(t, p+" is gone", func() bool { return !alive(t, p) })
	}
}

func TestExecTimeoutIsNamed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if r := Check(ctx, sh("echo stuck; sleep 1000")); r.OK || !strings.HasPrefix(r.Detail, "no answer within the timeout") {
		t.Fatalf("%+v", r)
	}
}

// What a probe leaves behind with its output open neither blocks nor stays.
func TestExecGrandchildHoldingTheOutput(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	r := Check(t.Context(), sh(fmt.Sprintf("sleep 1000 & echo $! > %s; echo ok", pid)))
	if !r.OK || r.Detail != "ok\n" {
		t.Fatalf("%+v", r)
	}
	waitFor(t, "the grandchild is gone", func() bool { return !alive(t, pid) })
}

func TestHTTP(t *testing.T) {
	followed := false
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/target", http.StatusFound) })
	mux.HandleFunc("/target", func(http.ResponseWriter, *http.Request) { followed = true })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(503)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, want := range map[string]bool{"/ok": true, "/moved": true, "/bad": false, "/none": false} {
		r := Check(t.Context(), Spec{HTTP: server.URL + path})
		if r.OK != want || len(r.Detail) > maxDetail {
			t.Errorf("%s: %v, %d bytes of detail", path, r.OK, len(r.Detail))
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if r := Check(ctx, Spec{HTTP: server.URL + "/hang"}); r.OK {
		t.Error("a hanging server passed")
	}
	secure := httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	if r := Check(t.Context(), Spec{HTTP: secure.URL + "/ok"}); r.OK || !strings.Contains(r.Detail, "certificate") {
		t.Errorf("a self-signed certificate passed: %+v", r)
	}
	if r := Check(t.Context(), Spec{HTTP: "::bad::"}); r.OK {
		t.Error("a bad URL passed")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestTCP(t *testing.T) {
	l := listen(t)
	if r := Check(t.Context(), Spec{TCP: l.Addr().String()}); !r.OK {
		t.Errorf("%+v", r)
	}
	_ = l.Close()
	if r := Check(t.Context(), Spec{TCP: l.Addr().String()}); r.OK || !strings.Contains(r.Detail, "refused") {
		t.Errorf("%+v", r)
	}
}

func TestGRPC(t *testing.T) {
	l := listen(t)
	server, states := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, states)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	defer func() { server.Stop(); <-done }()
	states.SetServingStatus("orders", healthpb.HealthCheckResponse_SERVING)
	states.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	for service, want := range map[string]bool{"": true, "/orders": true, "/down": false, "/unknown": false} {
		if r := Check(t.Context(), Spec{GRPC: l.Addr().String() + service}); r.OK != want {
			t.Errorf("%q: %+v", service, r)
		}
	}
	server.Stop()
	if r := Check(t.Context(), Spec{GRPC: l.Addr().String()}); r.OK {
		t.Error("a stopped server passed")
	}
}

func ExampleCheck() {
	r := Check(context.Background(), Spec{Exec: []string{"/bin/sh", "-c", "echo not yet; exit 1"}})
	fmt.Printf("%v %q\n", r.OK, r.Detail)
	// Output: false "exit status 1\nnot yet"
}
