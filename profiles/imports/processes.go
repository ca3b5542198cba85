package imports

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// processes carries the processes of a process-compose file. Its commands are
// shell lines.
func (c *converter) processes(n *yaml.Node) {
	for _, e := range entries(n) {
		p := &process{converter: c, name: e.key, component: newObject()}
		p.carry(e)
	}
}

// process is one of them being carried over.
type process struct {
	*converter
	name      string
	component *object
}

func (p *process) carry(e entry) {
	for _, item := range entries(e.value) {
		where := p.name + " " + item.key
		if carry, ok := processSettings[item.key]; ok {
			carry(p, item, where)
			continue
		}
		p.skip(item.line, where, "has no counterpart")
	}
	if !p.component.has("command") {
		p.component.set("launch", "none")
		p.skip(e.line, p.name, "it has no command")
	}
	if !p.component.has("restart") {
		p.component.set("restart", newObject().set("policy", "never"))
	}
	p.add(e.line, p.name, p.component)
}

// processSettings says for each key of a process that can be carried how.
var processSettings = newProcessSettings()

func newProcessSettings() map[string]func(p *process, e entry, where string) {
	text := func(key string) func(*process, entry, string) {
		return func(p *process, e entry, _ string) { p.component.set(key, composeText(e.value.Value)) }
	}
	ignore := func(*process, entry, string) {}
	return map[string]func(p *process, e entry, where string){
		"description": ignore, "namespace": ignore, "log_location": ignore, "disable_ansi_colors": ignore,
		"command":        (*process).command,
		"entrypoint":     func(p *process, e entry, _ string) { p.component.set("command", stringsOf(e.value)) },
		"working_dir":    text("workingDirectory"),
		"ready_log_line": func(p *process, e entry, _ string) { p.ready("logLine", e.value.Value) },
		"environment": func(p *process, e entry, w string) {
			if env, ok := p.environment(e, w); ok {
				p.component.set("env", env)
			}
		},
		"depends_on":      (*process).dependsOn,
		"availability":    (*process).availability,
		"readiness_probe": func(p *process, e entry, w string) { p.probe("ready", e, w) },
		"liveness_probe":  func(p *process, e entry, w string) { p.probe("health", e, w) },
		"shutdown":        (*process).shutdown,
		"replicas":        func(p *process, e entry, w string) { p.count(e, w, func(n int) { p.component.set("replicas", n) }) },
		"disabled": func(p *process, e entry, _ string) {
			if e.value.Value == "true" {
				p.component.set("enabled", false)
			}
		},
		"is_daemon": func(p *process, e entry, _ string) {
			if e.value.Value == "true" {
				p.component.set("forks", true)
			}
		},
	}
}

func (p *process) command(e entry, _ string) {
	argv := shellCommand(strings.TrimSpace(e.value.Value))
	list := make([]variable, len(argv))
	for i, word := range argv {
		list[i] = composeText(word)
	}
	p.component.set("command", list)
}

func (p *process) ready(check string, value any) {
	p.component.set("ready", newObject().set(check, value))
}

// dependsOn: what process-compose calls healthy is peerd's started, for
// started means that readiness passes.
func (p *process) dependsOn(e entry, where string) {
	p.component.set("dependsOn", p.composeDependencies(e, where, map[string]string{
		"process_started": "started", "process_healthy": "started", "process_log_ready": "started",
		"process_completed_successfully": "completed", "process_completed": "completed",
	}))
}

func (p *process) availability(e entry, where string) {
	restart := newObject()
	for _, item := range entries(e.value) {
		switch item.key {
		case "restart":
			word, known := map[string]string{"no": "never", "always": "always", "on_failure": "onFailure", "exit_on_failure": "never"}[item.value.Value]
			if !known || item.value.Value == "exit_on_failure" {
				p.skip(item.line, where, "%s has no counterpart; see groups and onFailure: stopPeer", clip(item.value.Value))
			}
			restart.set("policy", word)
		case "backoff_seconds":
			p.count(item, where, func(n int) { restart.set("delay", seconds(n)) })
		case "max_restarts":
			p.count(item, where, func(n int) { restart.set("limit", newObject().set("count", n+1)) })
		default:
			p.skip(item.line, where+" "+item.key, "has no counterpart")
		}
	}
	p.component.set("restart", restart)
}

// probe reads a readiness or liveness probe. Readiness has no schedule in a
// profile: it is tried until launchTimeout.
func (p *process) probe(section string, e entry, where string) {
	probe := newObject()
	for _, item := range entries(e.value) {
		switch item.key {
		case "exec":
			for _, command := range entries(item.value) {
				if command.key == "command" {
					probe.set("exec", shellCommand(command.value.Value))
				}
			}
		case "http_get":
			probe.set("http", httpProbe(item.value))
		default:
			p.probeTiming(section, probe, item, where)
		}
	}
	if probe.has("exec") || probe.has("http") {
		p.component.set(section, probe)
	}
}

func (p *process) probeTiming(section string, probe *object, e entry, where string) {
	key := map[string]string{"period_seconds": "interval", "timeout_seconds": "timeout", "initial_delay_seconds": "startPeriod"}[e.key]
	switch {
	case section == "ready" && (key != "" || e.key == "failure_threshold" || e.key == "success_threshold"):
	case key != "":
		p.count(e, where, func(n int) { probe.set(key, seconds(n)) })
	case e.key == "failure_threshold":
		p.count(e, where, func(n int) { probe.set("failures", max(n, 1)) })
	default:
		p.skip(e.line, where+" "+e.key, "has no counterpart")
	}
}

func httpProbe(n *yaml.Node) string {
	scheme, host, path, port := "http", "127.0.0.1", "/", ""
	for _, e := range entries(n) {
		switch e.key {
		case "scheme":
			scheme = e.value.Value
		case "host":
			host = e.value.Value
		case "path":
			path = e.value.Value
		case "port":
			port = ":" + e.value.Value
		}
	}
	return scheme + "://" + host + port + "/" + strings.TrimPrefix(path, "/")
}

func (p *process) shutdown(e entry, where string) {
	for _, item := range entries(e.value) {
		switch item.key {
		case "signal":
			p.component.set("stopSignal", item.value.Value)
		case "timeout_seconds":
			p.count(item, where, func(n int) { p.component.set("componentStopWaitTime", seconds(n)) })
		case "command":
			p.component.set("hooks", newObject().set("preStop", shellCommand(item.value.Value)))
		default:
			p.skip(item.line, where+" "+item.key, "has no counterpart")
		}
	}
}
