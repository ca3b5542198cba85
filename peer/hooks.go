package peer

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/process"
	"github.com/seed-04209a44/peerd/supervisor"
)

// runHook runs one of the profile's hooks to its end, as the component's user,
// with its output captured like the component's. What the hook leaves running
// is killed, and so is the hook itself when ctx ends.
func (g *generation) runHook(ctx context.Context, name string, argv []string) error {
	if len(argv) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s hook was left out: %w", name, err)
	}
	path, err := g.hookPath(argv[0])
	if err != nil {
		return fmt.Errorf("%s hook: %w", name, err)
	}
	proc, err := g.l.door.Start(process.Spec{
		Path: path, Args: argv, Env: g.environment(), Dir: g.spec.WorkingDirectory,
		Stdout: g.output.Stdout, Stderr: g.output.Stderr,
		Name: g.l.treeName(supervisor.KeyOf(g.spec)) + "." + strings.ToLower(name), User: g.spec.User, Group: g.spec.OSGroup,
	})
	if err != nil {
		return fmt.Errorf("%s hook: %w", name, err)
	}
	defer proc.Release()
	select {
	case <-proc.Exited():
	case <-ctx.Done():
	}
	sweep, cancel := context.WithTimeout(context.WithoutCancel(ctx), killPatience)
	defer cancel()
	if left := proc.Kill(sweep); len(left) > 0 {
		return fmt.Errorf("%s hook cannot be killed: %s", name, describeMembers(left))
	}
	<-proc.Exited()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s hook was ended: %w", name, err)
	}
	if x := proc.Exit(); x.Code != 0 {
		return fmt.Errorf("%s hook failed: exit code %d, signal %q", name, x.Code, x.Signal)
	}
	return nil
}

// hookPath finds a hook's program: relative to the working folder when it has a
// slash, else in PATH.
func (g *generation) hookPath(program string) (string, error) {
	if !strings.Contains(program, "/") {
		return exec.LookPath(program)
	}
	if filepath.IsAbs(program) {
		return program, nil
	}
	return filepath.Join(g.spec.WorkingDirectory, program), nil
}

// started runs the postStart hook of a component that has come up.
func (g *generation) started() {
	g.yieldSlot()
	g.up.Do(func() {
		g.l.see("a postStart hook", func() {
			if err := g.runHook(g.alive, "postStart", g.definition().Hooks.PostStart); err != nil {
				g.log.Warn("the component runs on without its hook", "error", err)
			}
		})
	})
}

// see does what has to be seen through, in the background.
func (l *launcher) see(what string, do func()) {
	l.steps.add(what)
	l.work.Go(func() {
		defer l.steps.leave(what)
		do()
	})
}

// orderly does a step of an orderly stop once the preStop hook has run. The
// stop's budget goes on meanwhile; force does not wait.
func (g *generation) orderly(step func()) {
	if len(g.definition().Hooks.PreStop) == 0 || g.stopTold.Load() {
		step()
		return
	}
	g.l.see("a preStop hook", func() {
		g.preStop.Do(func() {
			defer g.stopTold.Store(true)
			if err := g.runHook(g.alive, "preStop", g.definition().Hooks.PreStop); err != nil {
				g.log.Warn("stopping without the hook", "error", err)
			}
		})
		step()
	})
}

// hookGrace is what a postStop hook gets when the stop has used up its budget:
// time to remove a file, not to hold up the stop.
const hookGrace = 300 * time.Millisecond

// afterwards runs the postStop hook when the tree is gone, in what is left of
// the stop's budget; after an end that nobody asked for, in a whole one.
func (g *generation) afterwards() {
	budget := g.definition().StopWait
	g.mu.Lock()
	if !g.stopBegan.IsZero() {
		budget = max(budget-time.Since(g.stopBegan), hookGrace)
	}
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(g.ctx, budget)
	defer cancel()
	if err := g.runHook(ctx, "postStop", g.definition().Hooks.PostStop); err != nil {
		g.log.Warn("stopped, but", "error", err)
	}
}

// stopping notes when the stop began.
func (g *generation) stopping() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopBegan.IsZero() {
		g.stopBegan = time.Now()
	}
}

func (g *generation) isStopping() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.stopBegan.IsZero()
}
