package profiles

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// supervision resolves group, dependencies and the restart policy.
func (c *component) supervision(s *Spec, p *Plan) {
	if s.Group != "" {
		if _, ok := p.Groups[c.doc.app.GUID+"/"+s.Group]; !ok {
			c.complain("group", "there is no group %q in groups%s", clip(s.Group), didYouMean(s.Group, c.doc.groupNames(p)))
		}
	}
	for _, edge := range c.cfg.DependsOn.edges {
		on := strings.TrimPrefix(edge.name, c.doc.app.GUID+"/")
		s.DependsOn = append(s.DependsOn, Dependency{On: on, Condition: edge.Condition, Soft: edge.Soft})
	}
	s.Restart = c.restart(s)
}

func (doc *document) groupNames(p *Plan) []string {
	var names []string
	for key := range p.Groups {
		if name, same := strings.CutPrefix(key, doc.app.GUID+"/"); same {
			names = append(names, name)
		}
	}
	return names
}

var restartModes = map[string]lifecycle.RestartMode{
	"always": lifecycle.Always, "onFailure": lifecycle.OnFailure, "never": lifecycle.Never,
}

func (c *component) restart(s *Spec) lifecycle.RestartPolicy {
	cfg := c.cfg.Restart
	policy := cfg.Policy
	switch {
	case policy != "":
	case s.Schedule != "":
		policy = "never"
	case s.OneShot:
		policy = "onFailure"
	default:
		policy = "always"
	}
	r := lifecycle.RestartPolicy{
		Mode: restartModes[policy], ExitCodes: cfg.ExitCodes,
		Delay: time.Duration(cfg.Delay), Factor: cfg.Factor, MaxDelay: time.Duration(cfg.MaxDelay),
		Jitter: cfg.Jitter, ResetAfter: time.Duration(cfg.ResetAfter),
		LimitCount: cfg.Limit.Count, LimitWithin: time.Duration(cfg.Limit.Within),
	}
	for _, sig := range cfg.Signals {
		r.Signals = append(r.Signals, sig.String())
	}
	for i, code := range cfg.ExitCodes {
		if code < 0 || code > 255 {
			c.complain(fmt.Sprintf("restart.exitCodes[%d]", i), "%d is no exit code; 0 to 255 is allowed", code)
		}
	}
	if (len(r.ExitCodes) > 0 || len(r.Signals) > 0) && r.Mode != lifecycle.OnFailure {
		c.complain("restart.policy", "exitCodes and signals say what a failure is and need policy onFailure")
	}
	if r.MaxDelay < r.Delay {
		c.complain("restart.maxDelay", "%v is less than delay, %v", r.MaxDelay, r.Delay)
	}
	if r.LimitCount > 0 && r.LimitWithin <= 0 {
		c.complain("restart.limit.within", "a window above 0s is expected")
	}
	return r
}

// checks resolves readiness and health.
func (c *component) checks(s *Spec) {
	s.Ready = c.ready(s)
	s.Health = c.health(s)
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"launchTimeout", s.LaunchTimeout}, {"componentStopWaitTime", s.StopWait}} {
		if d.value <= 0 {
			c.complain(d.name, "more than 0s is expected")
		}
	}
}

func (c *component) ready(s *Spec) Ready {
	cfg := c.cfg.Ready
	if s.Forks && (s.CCP || s.OneShot) {
		c.complain("forks", "it is for plain programs that stay: a CCP component and a one-shot are the very process that is launched")
	}
	if cfg == nil {
		if s.CCP || s.OneShot {
			return Ready{}
		}
		return Ready{StartSeconds: time.Second}
	}
	if s.CCP {
		c.complain("ready", "a CCP component says itself when it is started (COMPONENT_EXECUTION); ready is for plain processes")
	}
	given := c.named("ready", "exec", "http", "tcp", "grpc", "fd", "notify", "logLine", "startSeconds")
	if len(given) != 1 {
		c.complain("ready", "%s; exactly one of exec, http, tcp, grpc, fd, notify, logLine and startSeconds is expected", countText(given))
	}
	if c.has("ready.notify") && !cfg.Notify {
		c.complain("ready.notify", "true is the only value; leave it out otherwise")
	}
	return Ready{
		Check: Check{Exec: cfg.Exec, HTTP: string(cfg.HTTP), TCP: string(cfg.TCP), GRPC: string(cfg.GRPC)},
		FD:    cfg.FD, Notify: cfg.Notify, LogLine: string(cfg.LogLine), StartSeconds: time.Duration(cfg.StartSeconds),
	}
}

// named lists which of the keys of a section were written.
func (c *component) named(section string, keys ...string) []string {
	var out []string
	for _, key := range keys {
		if c.has(section + "." + key) {
			out = append(out, key)
		}
	}
	return out
}

func countText(given []string) string {
	if len(given) == 0 {
		return "none is given"
	}
	return strings.Join(given, " and ") + " are given"
}

// defaultHealth is what a CCP component gets without a `health` section.
var defaultHealth = Health{
	CCP: true, Interval: 10 * time.Second, Timeout: 2 * time.Second,
	Failures: 3, StartPeriod: 10 * time.Second, OnFailure: "restart",
}

func (c *component) health(s *Spec) *Health {
	cfg := c.cfg.Health
	if cfg == nil {
		if !s.CCP || s.LaunchMode == "manual" || s.LaunchMode == "none" {
			return nil
		}
		h := defaultHealth
		return &h
	}
	given := c.named("health", "exec", "http", "tcp", "grpc")
	wantsCCP := cfg.CCP != nil && *cfg.CCP
	if wantsCCP {
		given = append(given, "ccp")
	}
	switch {
	case len(given) > 1:
		c.complain("health", "%s; one of exec, http, tcp, grpc and ccp is expected", countText(given))
	case wantsCCP && !s.CCP:
		c.complain("health.ccp", "a plain process has no CCP channel; name exec, http, tcp or grpc")
	case len(given) == 0 && cfg.CCP != nil:
		return nil
	case len(given) == 0 && !s.CCP:
		c.complain("health", "none is given; one of exec, http, tcp and grpc is expected")
	}
	h := &Health{
		Check:    Check{Exec: cfg.Exec, HTTP: string(cfg.HTTP), TCP: string(cfg.TCP), GRPC: string(cfg.GRPC)},
		CCP:      wantsCCP || len(given) == 0,
		Interval: time.Duration(cfg.Interval), Timeout: time.Duration(cfg.Timeout),
		Failures: cfg.Failures, StartPeriod: time.Duration(cfg.StartPeriod), OnFailure: cfg.OnFailure,
	}
	if h.Interval <= 0 {
		c.complain("health.interval", "more than 0s is expected")
	}
	if h.Timeout <= 0 {
		c.complain("health.timeout", "more than 0s is expected")
	}
	return h
}

// limits resolves resources, sandbox and log bounds.
func (c *component) limits(s *Spec) {
	r := c.cfg.Resources
	s.Resources = Resources{
		Memory: int64(r.Memory), CPU: r.CPU, Pids: r.Pids, NoFile: r.NoFile, Nice: r.Nice,
		OOMScoreAdj: r.OOMScoreAdj, MaxMemoryRestart: int64(r.MaxMemoryRestart),
	}
	if r.Memory > 0 && r.MaxMemoryRestart > r.Memory {
		c.complain("resources.maxMemoryRestart", "it is above memory and would never be reached")
	}
	s.Sandbox = Sandbox{
		NoNewPrivileges: c.cfg.Sandbox.NoNewPrivileges,
		ReadOnly:        c.absAll(c.cfg.Sandbox.ReadOnly),
		ReadWrite:       c.absAll(c.cfg.Sandbox.ReadWrite),
	}
	if caps := c.cfg.Sandbox.Capabilities; caps != nil {
		names := make([]string, len(*caps))
		for i, name := range *caps {
			names[i] = string(name)
		}
		s.Sandbox.Capabilities = &names
	}
	s.Logs = Logs{MaxSize: int64(c.cfg.Logs.MaxSize), MaxFiles: c.cfg.Logs.MaxFiles, MaxLine: int(c.cfg.Logs.MaxLine)}
	if s.Logs.MaxLine < 128 || s.Logs.MaxLine > 1<<20 {
		c.complain("logs.maxLine", "128B to 1MiB is allowed")
	}
	if s.Logs.MaxSize < int64(s.Logs.MaxLine) {
		c.complain("logs.maxSize", "it must hold at least one line of maxLine")
	}
}
