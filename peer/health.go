package peer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/seed-04209a44/peerd/ccp"
	"github.com/seed-04209a44/peerd/lifecycle"
	"github.com/seed-04209a44/peerd/probe"
	"github.com/seed-04209a44/peerd/profiles"
	"github.com/seed-04209a44/peerd/supervisor"
)

// monitor runs the health check of a generation, one at a time, each in a
// goroutine of the launcher's work. Its methods return at once: they are called
// by an instance's actor, and a check under way may need its time to end.
type monitor struct {
	mu     sync.Mutex // guards all following fields
	cancel context.CancelFunc
	done   chan struct{} // of the check started last
}

// start replaces a check that runs; the new one begins when that has ended.
func (m *monitor) start(parent context.Context, work *sync.WaitGroup, run func(context.Context)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cancel != nil {
		m.cancel()
	}
	ctx, cancel := context.WithCancel(parent)
	before, done := m.done, make(chan struct{})
	m.cancel, m.done = cancel, done
	work.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		run(ctx)
	})
}

// stop ends the check.
func (m *monitor) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cancel != nil {
		m.cancel()
		m.cancel = nil
	}
}

// StartHealth implements supervisor.Monitor.
func (g *generation) StartHealth(spec *profiles.Spec) {
	h := spec.Health
	if h == nil {
		return
	}
	check, ok := probeOf(h.Check, spec.WorkingDirectory, g.environment())
	if !ok {
		check = probe.Spec{Func: g.askHealth}
	}
	schedule := probe.Schedule{Interval: h.Interval, Timeout: h.Timeout, Failures: h.Failures, StartPeriod: h.StartPeriod}
	g.health.start(g.ctx, &g.l.work, func(ctx context.Context) {
		probe.Run(ctx, check, schedule, func(v probe.Health, r probe.Result) { g.sink.Health(verdictOf[v], r.Detail) })
	})
}

// StopHealth implements supervisor.Monitor.
func (g *generation) StopHealth() { g.health.stop() }

var verdictOf = map[probe.Health]supervisor.Health{
	probe.Unknown: supervisor.HealthUnknown, probe.Healthy: supervisor.HealthGood, probe.Unhealthy: supervisor.HealthBad,
}

// askHealth is the check of a component's own word.
func (g *generation) askHealth(ctx context.Context) (ok bool, detail string) {
	l, err := g.joinedLink(ctx)
	if err != nil {
		return false, err.Error()
	}
	h, err := l.client.HealthCheck(ctx)
	if err != nil {
		return false, err.Error()
	}
	return h.Healthy, h.Detail
}

// outgrown asks for a restart because the tree uses more than it may.
func (g *generation) outgrown(used, limit int64) {
	g.sink.Emit(lifecycle.Event{
		Kind: lifecycle.EvUnhealthy, Detail: fmt.Sprintf("its memory of %d bytes is over maxMemoryRestart %d", used, limit),
	})
}

// Update implements supervisor.Updater: limits go to the cgroup, log levels to
// the component.
func (g *generation) Update(spec *profiles.Spec) {
	g.latest.Store(spec)
	g.l.work.Go(g.relimit)
	if l := g.currentLink(); l != nil {
		g.l.work.Go(func() {
			if err := g.relevel(l); err != nil {
				g.log.Warn("cannot change the log levels", "error", err)
			}
		})
	}
}

// firstLevel is what a component's root logger begins with when nobody says
// anything.
const firstLevel = "info"

// relevel sets the levels of the latest definition, where they are others than
// before. A logger that it does not name any more goes by the root's level again.
func (g *generation) relevel(l *link) error {
	g.releveling.Lock()
	defer g.releveling.Unlock()
	old, spec := g.leveled, g.definition()
	if maps.Equal(old, spec.Loggers) {
		return nil
	}
	levels, err := g.levelsAfter(l, old, spec)
	if err == nil && len(levels) > 0 {
		_, err = l.client.SetLogLevel(g.ctx, levels)
	}
	if err == nil {
		g.leveled = spec.Loggers
	}
	return err
}

// levelsAfter are the levels to be set where old ones are in force.
func (g *generation) levelsAfter(l *link, old map[string]string, spec *profiles.Spec) (map[string]string, error) {
	levels := g.l.levels.with(supervisor.KeyOf(spec), spec.Loggers)
	root, named := levels["root"]
	if _, was := old["root"]; was && !named {
		root = firstLevel
	}
	for name := range old {
		if _, named := levels[name]; named {
			continue
		}
		if root == "" {
			now, err := l.client.DataOnce(g.ctx, ccp.LogLevels)
			var inForce map[string]string
			if err == nil {
				err = now.Value(ccp.LogLevels, &inForce)
			}
			if err != nil {
				return nil, err
			}
			root = cmp.Or(inForce["root"], firstLevel)
		}
		levels[name] = root
	}
	return levels, nil
}

// relimit enforces the limits of the latest definition.
func (g *generation) relimit() {
	g.relimiting.Lock()
	defer g.relimiting.Unlock()
	proc := g.process()
	if proc == nil {
		return
	}
	err := g.l.door.SetLimits(proc.Process, limitsOf(g.definition()))
	why := ""
	if err != nil {
		why = err.Error()
		g.log.Error("the limits in force are not those of the profile; a restart enforces them", "error", err)
	}
	g.mu.Lock()
	before := g.unforced
	g.unforced = why
	g.mu.Unlock()
	switch {
	case why == before:
	case why == "":
		g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvNoted, Detail: "the limits of the profile are in force again"})
	default:
		g.sink.Emit(lifecycle.Event{Kind: lifecycle.EvNoted, Detail: unforcedText + why})
	}
}

// unforcedText is what is said of limits that could not be changed, before why.
const unforcedText = "the limits in force are not those of the profile, a restart enforces them: "

// unenforced says why the limits in force are not those of the profile; "": they
// are.
func (g *generation) unenforced() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unforced
}

// definition is the generation's spec with what has changed live since.
func (g *generation) definition() *profiles.Spec {
	if s := g.latest.Load(); s != nil {
		return s
	}
	return g.spec
}
