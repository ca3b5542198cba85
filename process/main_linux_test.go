package process

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	Shim()
	if role := os.Getenv("HELPER"); role != "" {
		name, argument, _ := strings.Cut(role, " ")
		helpers[name](argument)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// helpers are what the test binary does when it is spawned as a child.
var helpers = map[string]func(string){
	"exit": func(code string) {
		var n int
		fmt.Sscan(code, &n)
		os.Exit(n)
	},
}

func helper(t testing.TB, role string) Spec {
	t.Helper()
	return Spec{
		Path: "/proc/self/exe", Args: []string{"helper"}, Name: "test",
		Env: []string{"HELPER=" + role},
	}
}

func shell(script string) Spec {
	return Spec{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Name: "test"}
}

func TestSmoke(t *testing.T) {
	d, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	t.Log(d.Containment(), d.hierarchies)
	p, err := d.Start(shell("exit 37"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Exited()
	<-p.Empty()
	t.Log(p.Exit(), p.Identity())
	p.Release()
	s := shell("sleep 100 & trap '' TERM; sleep 100")
	s.Limits.NoFile = 64
	s.Limits.Pids = 10
	p, err = d.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(p.Members())
	u, err := p.Usage()
	t.Log(u, err)
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	t.Log(p.Kill(t.Context()))
	<-p.Exited()
	t.Log(p.Exit())
	p.Release()
	_, err = d.Start(Spec{Path: "/nonexistent", Args: []string{"x"}, Name: "x", Limits: Limits{NoFile: 64}})
	t.Log(err)
}
