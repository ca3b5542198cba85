package profiles

import (
	"time"

	"github.com/seed-04209a44/peerd/lifecycle"
)

// Public is the Spec for people and programs to read: profile keys in the
// form of the JSON contract (durations in ms), nothing that is not set, no
// content of a secret. The map is the caller's own.
func (s *Spec) Public() map[string]any {
	out := map[string]any{
		"name": s.Name, "application": s.Application.GUID, "applicationVersion": s.Application.Version,
		"address": s.Address, "component": s.Component, "instance": s.Instance, "replicas": s.Replicas,
		"hash": s.Hash, "path": s.Path, "args": orEmpty(s.Args), "ccp": s.CCP, "launch": s.LaunchMode,
		"enabled": s.Enabled, "runOn": s.RunOn, "launchOrder": s.LaunchOrder,
		"workingDirectory": s.WorkingDirectory, "loggers": s.Loggers,
		"launchTimeoutMs": s.LaunchTimeout.Milliseconds(), "componentStopWaitTimeMs": s.StopWait.Milliseconds(),
		"stopSignal": signalName(s.StopSignal), "restart": publicRestart(s.Restart),
		"logs": map[string]any{"maxSize": s.Logs.MaxSize, "maxFiles": s.Logs.MaxFiles, "maxLine": s.Logs.MaxLine},
	}
	set := func(key string, value any, given bool) {
		if given {
			out[key] = value
		}
	}
	if s.Descriptor != nil {
		out["descriptor"] = map[string]any{"guid": s.Descriptor.GUID, "version": s.Descriptor.Version}
	}
	set("ccpVersions", map[string]any{"min": s.CCPMin, "max": s.CCPMax}, s.CCPMin != "")
	set("group", s.Group, s.Group != "")
	set("dependsOn", publicDependencies(s.DependsOn), len(s.DependsOn) > 0)
	set("arguments", s.Arguments, len(s.Arguments) > 0)
	set("config", s.Config, len(s.Config) > 0)
	set("env", s.Env, len(s.Env) > 0)
	set("secrets", sortedKeys(s.Secrets), len(s.Secrets) > 0)
	set("user", s.User, s.User != "")
	set("osGroup", s.OSGroup, s.OSGroup != "")
	set("ready", publicReady(s.Ready), !s.CCP)
	set("resources", publicResources(s.Resources), s.Resources != Resources{})
	set("sandbox", publicSandbox(s.Sandbox), s.Sandbox.restricts())
	set("checksum", s.Checksum, s.Checksum != "")
	set("schedule", s.Schedule, s.Schedule != "")
	set("missedRuns", s.MissedRuns, s.Schedule != "")
	set("oneShot", true, s.OneShot)
	set("forks", true, s.Forks)
	set("hooks", publicHooks(s.Hooks), len(publicHooks(s.Hooks)) > 0)
	set("watch", s.Watch, len(s.Watch) > 0)
	if s.Health != nil {
		out["health"] = publicHealth(*s.Health)
	}
	return out
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func publicRestart(r lifecycle.RestartPolicy) map[string]any {
	policy := map[lifecycle.RestartMode]string{lifecycle.Always: "always", lifecycle.OnFailure: "onFailure", lifecycle.Never: "never"}
	out := map[string]any{
		"policy": policy[r.Mode], "delayMs": r.Delay.Milliseconds(), "factor": r.Factor,
		"maxDelayMs": r.MaxDelay.Milliseconds(), "jitter": r.Jitter, "resetAfterMs": r.ResetAfter.Milliseconds(),
		"limit": map[string]any{"count": r.LimitCount, "withinMs": r.LimitWithin.Milliseconds()},
	}
	if len(r.ExitCodes) > 0 {
		out["exitCodes"] = r.ExitCodes
	}
	if len(r.Signals) > 0 {
		out["signals"] = r.Signals
	}
	return out
}

func publicDependencies(list []Dependency) []map[string]any {
	out := make([]map[string]any, len(list))
	for i, d := range list {
		out[i] = map[string]any{"on": d.On, "condition": d.Condition, "soft": d.Soft}
	}
	return out
}

// publicCheck names the one probe that is set.
func publicCheck(c Check) map[string]any {
	switch {
	case len(c.Exec) > 0:
		return map[string]any{"exec": c.Exec}
	case c.HTTP != "":
		return map[string]any{"http": c.HTTP}
	case c.TCP != "":
		return map[string]any{"tcp": c.TCP}
	case c.GRPC != "":
		return map[string]any{"grpc": c.GRPC}
	}
	return map[string]any{}
}

func publicReady(r Ready) map[string]any {
	out := publicCheck(r.Check)
	switch {
	case r.FD != 0:
		out["fd"] = r.FD
	case r.Notify:
		out["notify"] = true
	case r.LogLine != "":
		out["logLine"] = r.LogLine
	case r.StartSeconds != 0:
		out["startSecondsMs"] = r.StartSeconds.Milliseconds()
	}
	return out
}

func publicHealth(h Health) map[string]any {
	out := publicCheck(h.Check)
	if h.CCP {
		out["ccp"] = true
	}
	for key, d := range map[string]time.Duration{"intervalMs": h.Interval, "timeoutMs": h.Timeout, "startPeriodMs": h.StartPeriod} {
		out[key] = d.Milliseconds()
	}
	out["failures"], out["onFailure"] = h.Failures, h.OnFailure
	return out
}

func publicResources(r Resources) map[string]any {
	out := map[string]any{
		"memory": r.Memory, "cpu": r.CPU, "pids": r.Pids, "nofile": r.NoFile,
		"nice": r.Nice, "maxMemoryRestart": r.MaxMemoryRestart,
	}
	if r.OOMScoreAdj != nil {
		out["oomScoreAdj"] = *r.OOMScoreAdj
	}
	return out
}

// restricts reports whether the sandbox restricts anything.
func (s Sandbox) restricts() bool {
	return s.NoNewPrivileges || s.Capabilities != nil || len(s.ReadOnly)+len(s.ReadWrite) > 0
}

func publicSandbox(s Sandbox) map[string]any {
	out := map[string]any{
		"noNewPrivileges": s.NoNewPrivileges, "readOnly": orEmpty(s.ReadOnly), "readWrite": orEmpty(s.ReadWrite),
	}
	if s.Capabilities != nil {
		out["capabilities"] = *s.Capabilities
	}
	return out
}

func publicHooks(h Hooks) map[string]any {
	out := map[string]any{}
	for key, argv := range map[string][]string{"preStart": h.PreStart, "postStart": h.PostStart, "preStop": h.PreStop, "postStop": h.PostStop} {
		if len(argv) > 0 {
			out[key] = argv
		}
	}
	return out
}
