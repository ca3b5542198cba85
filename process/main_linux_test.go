package process

import (
	"context"
	"os"
	"strings"
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

// containments are those this host lets us try.
func containments(t *testing.T) map[containment]hierarchies {
	t.Helper()
	h := findHierarchies()
	can := map[containment]hierarchies{session: {}}
	if h.unified != "" {
		can[cgroupV2] = h
	}
	if h.v1["freezer"] != "" {
		can[cgroupFreezer] = h
	}
	return can
}

// eachContainment runs the test with every means of holding a tree.
func eachContainment(t *testing.T, test func(t *testing.T, d *Door)) {
	for held, h := range containments(t) {
		t.Run(string(held), func(t *testing.T) { test(t, openAs(t, h, held)) })
	}
}

func openAs(t testing.TB, h hierarchies, held containment) *Door {
	t.Helper()
	d, err := open(h, held, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func newDoor(t testing.TB) *Door {
	t.Helper()
	d, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// start spawns s; whatever is left of it is killed when the test ends.
func start(t testing.TB, d *Door, s Spec) *Process {
	t.Helper()
	p, err := d.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if left := p.Kill(ctx); left != nil {
			t.Errorf("left behind: %v", left)
		}
		p.Release()
	})
	return p
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func await(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
	}
}

// eventually waits until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if !root() {
		t.Skip("only root may do this")
	}
}

// helper spawns the test binary in one of its roles.
func helper(role string) Spec {
	exe, _ := os.Executable()
	return Spec{Path: exe, Args: []string{"helper"}, Name: "test", Env: []string{"HELPER=" + role}}
}

func shell(script string) Spec {
	return Spec{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Name: "test", Env: []string{"PATH=/usr/bin:/bin"}}
}

// run runs s to its end and gives its exit and what it wrote to stdout.
func run(t testing.TB, d *Door, s Spec) (Exit, string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s.Stdout, s.Stderr = out, out
	p := start(t, d, s)
	await(t, "exit", p.Exited())
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return p.Exit(), string(text)
}
