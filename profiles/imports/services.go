package imports

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// service is a compose service being carried over. peerd runs programs, not
// images: what an image would bring is listed.
type service struct {
	*converter
	name                          string
	component, resources, sandbox *object
	entrypoint, command           []variable
	image                         string
	dropAll                       bool
	capabilities                  []string
}

func (c *converter) services(n *yaml.Node) {
	for _, e := range entries(n) {
		s := &service{converter: c, name: e.key, component: newObject(), resources: newObject(), sandbox: newObject()}
		s.carry(e)
	}
}

func (s *service) carry(e entry) {
	for _, item := range entries(e.value) {
		where := s.name + " " + item.key
		if carry, ok := composeSettings[item.key]; ok {
			carry(s, item, where)
			continue
		}
		if !strings.HasPrefix(item.key, "x-") {
			s.skip(item.line, where, "has no counterpart%s", composeHint[item.key])
		}
	}
	program := newObject()
	if argv := append(s.entrypoint, s.command...); len(argv) > 0 {
		program.set("command", argv)
		if s.image != "" {
			s.skip(e.line, s.name+" image", "%s is not run: peerd runs programs of this machine, so install what the command names", clip(s.image))
		}
	} else {
		program.set("launch", "none")
		s.skip(e.line, s.name, "only the image %s knows its command; install the program, then write command instead of launch: none", clip(s.image))
	}
	program.node.Content = append(program.node.Content, s.component.node.Content...)
	if s.dropAll {
		s.sandbox.set("capabilities", s.capabilities)
	}
	if !program.has("restart") {
		program.set("restart", newObject().set("policy", "never"))
	}
	program.set("resources", s.resources).set("sandbox", s.sandbox)
	s.add(e.line, s.name, program)
}

var composeHint = map[string]string{
	"ports":    "; the program listens on this machine itself",
	"volumes":  "; the program sees this machine's files; sandbox.readOnly and readWrite restrict it",
	"networks": "; the program uses this machine's network",
	"build":    "; build the program, then write command",
	"logging":  "; output is captured in peerd's state folder, ccpc logs shows it",
	"secrets":  "; write secrets: {NAME: {file: …}}",
	"init":     "; peerd reaps every process itself",
}

// composeSettings says for each key of a service that can be carried how.
var composeSettings = newComposeSettings()

func newComposeSettings() map[string]func(s *service, e entry, where string) {
	text := func(key string) func(*service, entry, string) {
		return func(s *service, e entry, _ string) { s.component.set(key, composeText(e.value.Value)) }
	}
	ignore := func(*service, entry, string) {}
	return map[string]func(s *service, e entry, where string){
		"image":          func(s *service, e entry, _ string) { s.image = e.value.Value },
		"container_name": ignore, "hostname": ignore, "stdin_open": ignore, "tty": ignore, "pull_policy": ignore,
		"command":           func(s *service, e entry, w string) { s.command = s.argv(e, w) },
		"entrypoint":        func(s *service, e entry, w string) { s.entrypoint = s.argv(e, w) },
		"working_dir":       text("workingDirectory"),
		"stop_signal":       text("stopSignal"),
		"stop_grace_period": text("componentStopWaitTime"),
		"user":              (*service).user,
		"environment": func(s *service, e entry, w string) {
			if env, ok := s.environment(e, w); ok {
				s.component.set("env", env)
			}
		},
		"env_file":      func(s *service, e entry, _ string) { s.component.set("envFile", stringsOf(e.value)) },
		"depends_on":    func(s *service, e entry, w string) { s.dependsOn(e, w) },
		"restart":       (*service).restart,
		"healthcheck":   (*service).healthcheck,
		"scale":         func(s *service, e entry, w string) { s.count(e, w, func(n int) { s.component.set("replicas", n) }) },
		"deploy":        (*service).deploy,
		"mem_limit":     func(s *service, e entry, w string) { s.bytes(e, w, func(v string) { s.resources.set("memory", v) }) },
		"cpus":          func(s *service, e entry, w string) { s.cpus(e, w, func(v float64) { s.resources.set("cpu", v) }) },
		"pids_limit":    func(s *service, e entry, w string) { s.count(e, w, func(n int) { s.resources.set("pids", n) }) },
		"oom_score_adj": (*service).oomScore,
		"ulimits":       (*service).ulimits,
		"cap_drop":      (*service).capDrop,
		"cap_add":       func(s *service, e entry, _ string) { s.capabilities = append(s.capabilities, stringsOf(e.value)...) },
		"security_opt":  (*service).securityOpt,
		"profiles":      (*service).profiles,
	}
}

func (s *service) argv(e entry, where string) []variable {
	list, err := composeWords(e.value)
	if err != nil {
		s.skip(e.line, where, "it cannot be split into words: %v", err)
	}
	return list
}

func (s *service) user(e entry, _ string) {
	user, group, both := strings.Cut(e.value.Value, ":")
	s.component.set("user", composeText(user))
	if both {
		s.component.set("osGroup", composeText(group))
	}
}

// dependsOn reads a list, or a mapping to {condition}.
func (c *converter) composeDependencies(e entry, where string, conditions map[string]string) *object {
	depends := newObject()
	for _, name := range stringsOf(e.value) {
		depends.set(componentName(name, name), "started")
	}
	for _, d := range entries(e.value) {
		condition := "started"
		soft := false
		for _, item := range entries(d.value) {
			switch item.key {
			case "condition":
				word, known := conditions[item.value.Value]
				if !known {
					c.skip(item.line, where, "the condition %s has no counterpart; started is carried", clip(item.value.Value))
					continue
				}
				condition = word
			case "required":
				soft = item.value.Value == "false"
			}
		}
		if soft {
			depends.set(componentName(d.key, d.key), newObject().set("condition", condition).set("soft", true))
			continue
		}
		depends.set(componentName(d.key, d.key), condition)
	}
	return depends
}

func (s *service) dependsOn(e entry, where string) {
	s.component.set("dependsOn", s.composeDependencies(e, where, map[string]string{
		"service_started": "started", "service_healthy": "healthy", "service_completed_successfully": "completed",
	}))
}

func (s *service) restart(e entry, where string) {
	policy, retries, limited := strings.Cut(e.value.Value, ":")
	word, known := map[string]string{"no": "never", "always": "always", "unless-stopped": "always", "on-failure": "onFailure"}[policy]
	if !known {
		s.skip(e.line, where, "%s has no counterpart", clip(e.value.Value))
		return
	}
	restart := newObject().set("policy", word)
	if n, err := strconv.Atoi(retries); limited && err == nil && n >= 0 {
		restart.set("limit", newObject().set("count", n+1))
	}
	s.component.set("restart", restart)
}

func (s *service) healthcheck(e entry, where string) {
	health := newObject()
	for _, item := range entries(e.value) {
		switch item.key {
		case "test":
			health.set("exec", s.healthTest(item, where))
		case "interval", "timeout":
			health.set(item.key, composeText(item.value.Value))
		case "start_period":
			health.set("startPeriod", composeText(item.value.Value))
		case "retries":
			s.count(item, where, func(n int) { health.set("failures", max(n, 1)) })
		case "disable":
			return
		default:
			s.skip(item.line, where+" "+item.key, "has no counterpart")
		}
	}
	if health.has("exec") {
		health.set("onFailure", "none")
		s.component.set("health", health)
	}
}

// healthTest reads ["CMD", …], ["CMD-SHELL", line] or a line.
func (s *service) healthTest(e entry, _ string) []variable {
	list := stringsOf(e.value)
	if e.value.Kind == yaml.ScalarNode && len(list) == 1 {
		list = []string{"CMD-SHELL", list[0]}
	}
	if len(list) < 2 || list[0] == "NONE" {
		return nil
	}
	var out []variable
	if list[0] == "CMD-SHELL" {
		out = []variable{"/bin/sh", "-c"}
	}
	for _, word := range list[1:] {
		out = append(out, composeText(word))
	}
	return out
}

func (s *service) deploy(e entry, where string) {
	for _, item := range entries(e.value) {
		if item.key == "replicas" {
			s.count(item, where+" replicas", func(n int) { s.component.set("replicas", max(n, 1)) })
			continue
		}
		if item.key != "resources" {
			s.skip(item.line, where+" "+item.key, "has no counterpart")
			continue
		}
		for _, kind := range entries(item.value) {
			if kind.key != "limits" {
				s.skip(kind.line, where+" "+kind.key, "only limits are carried")
				continue
			}
			s.limits(kind, where+" limits")
		}
	}
}

func (s *service) limits(e entry, where string) {
	for _, item := range entries(e.value) {
		switch item.key {
		case "memory":
			s.bytes(item, where, func(v string) { s.resources.set("memory", v) })
		case "cpus":
			s.cpus(item, where, func(v float64) { s.resources.set("cpu", v) })
		case "pids":
			s.count(item, where, func(n int) { s.resources.set("pids", n) })
		default:
			s.skip(item.line, where+" "+item.key, "has no counterpart")
		}
	}
}

func (s *service) oomScore(e entry, _ string) {
	if n, err := strconv.Atoi(e.value.Value); err == nil {
		s.resources.set("oomScoreAdj", n)
	}
}

func (s *service) ulimits(e entry, where string) {
	for _, item := range entries(e.value) {
		if item.key != "nofile" {
			s.skip(item.line, where+" "+item.key, "has no counterpart")
			continue
		}
		value := item
		for _, side := range entries(item.value) {
			if side.key == "hard" {
				value = side
			}
		}
		s.count(value, where, func(n int) { s.resources.set("nofile", n) })
	}
}

func (s *service) capDrop(e entry, where string) {
	for _, name := range stringsOf(e.value) {
		if name == "ALL" {
			s.dropAll = true
			continue
		}
		s.skip(e.line, where, "%s: sandbox.capabilities lists what is kept, not what is taken away", clip(name))
	}
}

func (s *service) securityOpt(e entry, where string) {
	for _, option := range stringsOf(e.value) {
		if strings.HasPrefix(option, "no-new-privileges") {
			s.sandbox.set("noNewPrivileges", true)
			continue
		}
		s.skip(e.line, where, "%s has no counterpart", clip(option))
	}
}

func (s *service) profiles(e entry, where string) {
	s.component.set("enabled", false)
	s.skip(e.line, where, "carried as enabled: false; start it with ccpc start")
}
