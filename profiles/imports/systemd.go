package imports

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// systemd carries the [Service] of one unit.
func (c *converter) systemd(data []byte) error {
	sections, err := parseIni(data, iniDialect{backslash: true})
	if err != nil {
		return err
	}
	u := &unit{converter: c, component: newObject(), restart: newObject(), resources: newObject(), sandbox: newObject(), hooks: newObject(), env: map[string]string{}}
	service := false
	for _, s := range sections {
		if s.name == "Service" {
			service = true
			u.kind = lastValue(s, "Type", "simple")
		}
	}
	if !service {
		return errors.New("no [Service] section; only service units can be imported")
	}
	for _, s := range sections {
		for _, set := range s.settings {
			switch s.name {
			case "Unit":
				u.unitSetting(set)
			case "Service":
				u.serviceSetting(set)
			case "Install":
				c.skip(set.line, "Install "+set.key, "peerd starts what its profile enables; let systemd start peerd")
			default:
				c.skip(set.line, s.name+" "+set.key, "has no counterpart")
			}
		}
	}
	return u.finish()
}

func lastValue(s *iniSection, key, fallback string) string {
	if set, ok := s.get(key); ok {
		return set.value
	}
	return fallback
}

// unit is a service unit being carried over.
type unit struct {
	*converter
	kind                                             string
	description                                      string
	component, restart, resources, sandbox, hooks    *object
	env                                              map[string]string
	envFiles, readOnly, readWrite, commands          []string
	limitCount                                       int
	limitWithin, startTimeout, stopTimeout, bothTime string
}

func (u *unit) finish() error {
	if len(u.commands) == 0 {
		return errors.New("the unit has no ExecStart")
	}
	argv, _ := words(u.commands[0])
	c := newObject().set("command", argv)
	c.node.Content = append(c.node.Content, u.component.node.Content...)
	switch u.kind {
	case "oneshot":
		c.set("oneShot", true)
	case "notify", "notify-reload":
		c.set("ready", newObject().set("notify", true))
	case "forking":
		c.set("forks", true)
	case "dbus":
		u.skip(1, "Service Type", "dbus: it counts as started after startSeconds; name a ready check instead")
	}
	c.set("env", u.env).set("envFile", u.envFiles)
	if u.startTimeout = first(u.startTimeout, u.bothTime); u.startTimeout != "" {
		c.set("launchTimeout", u.startTimeout)
	}
	if u.stopTimeout = first(u.stopTimeout, u.bothTime); u.stopTimeout != "" {
		c.set("componentStopWaitTime", u.stopTimeout)
	}
	u.sandbox.set("readOnly", u.readOnly).set("readWrite", u.readWrite)
	u.restarts()
	c.set("restart", u.restart).set("resources", u.resources).set("sandbox", u.sandbox).set("hooks", u.hooks)
	name := strings.TrimSuffix(u.name, ".service")
	u.add(1, strings.TrimSuffix(name, "@"), c)
	c.comment(u.description)
	return nil
}

// restarts fills in systemd's own defaults: no restart; else after a constant
// 100ms, five times within ten seconds.
func (u *unit) restarts() {
	if !u.restart.has("policy") {
		u.restart = newObject().set("policy", "never")
		return
	}
	if !u.restart.has("delay") {
		u.restart.set("delay", "100ms")
	}
	u.restart.set("factor", 1)
	if u.limitCount == 0 {
		u.limitCount = 5
	}
	u.restart.set("limit", newObject().set("count", u.limitCount).set("within", first(u.limitWithin, "10s")))
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func (u *unit) unitSetting(set setting) {
	switch set.key {
	case "Description":
		u.description = set.value
	case "Documentation":
	case "StartLimitBurst":
		u.number(set, "Unit "+set.key, func(n int) { u.limitCount = n })
	case "StartLimitIntervalSec", "StartLimitInterval":
		u.limitWithin = u.span(set, "Unit")
	case "After", "Requires", "Wants", "BindsTo", "Before", "PartOf", "Requisite":
		u.skip(set.line, "Unit "+set.key, "%s: units are imported one by one; where it becomes a component too, name it in dependsOn", clip(set.value))
	default:
		u.skip(set.line, "Unit "+set.key, "%s has no counterpart", clip(set.value))
	}
}

// serviceSetting carries one line of [Service].
func (u *unit) serviceSetting(set setting) {
	where := "Service " + set.key
	if carry, ok := serviceSettings[set.key]; ok {
		carry(u, set, where)
		return
	}
	u.skip(set.line, where, "%s has no counterpart", clip(set.value))
}

// serviceSettings says for each key of [Service] that can be carried how.
var serviceSettings = newServiceSettings()

func newServiceSettings() map[string]func(u *unit, set setting, where string) {
	text := func(key string) func(*unit, setting, string) {
		return func(u *unit, set setting, where string) { u.component.set(key, u.plain(set, where)) }
	}
	resource := func(key string) func(*unit, setting, string) {
		return func(u *unit, set setting, where string) {
			u.number(set, where, func(n int) { u.resources.set(key, n) })
		}
	}
	signed := func(key string) func(*unit, setting, string) {
		return func(u *unit, set setting, where string) {
			if n, err := strconv.Atoi(set.value); err == nil {
				u.resources.set(key, n)
			}
		}
	}
	hook := func(key string) func(*unit, setting, string) {
		return func(u *unit, set setting, where string) { u.hook(key, set, where) }
	}
	return map[string]func(u *unit, set setting, where string){
		"Type":             func(*unit, setting, string) {},
		"ExecStart":        (*unit).execStart,
		"ExecStartPre":     hook("preStart"),
		"ExecStartPost":    hook("postStart"),
		"ExecStop":         hook("preStop"),
		"ExecStopPost":     hook("postStop"),
		"User":             text("user"),
		"Group":            text("osGroup"),
		"WorkingDirectory": text("workingDirectory"),
		"KillSignal":       text("stopSignal"),
		"KillMode":         (*unit).killMode,
		"Environment":      (*unit).environment,
		"EnvironmentFile":  (*unit).environmentFile,
		"Restart":          (*unit).restartPolicy,
		"RestartSec":       func(u *unit, set setting, _ string) { u.restart.set("delay", u.span(set, "Service")) },
		"TimeoutSec":       func(u *unit, set setting, _ string) { u.bothTime = u.span(set, "Service") },
		"TimeoutStartSec":  func(u *unit, set setting, _ string) { u.startTimeout = u.span(set, "Service") },
		"TimeoutStopSec":   func(u *unit, set setting, _ string) { u.stopTimeout = u.span(set, "Service") },
		"StartLimitBurst":  func(u *unit, set setting, w string) { u.number(set, w, func(n int) { u.limitCount = n }) },
		"Nice":             signed("nice"),
		"OOMScoreAdjust":   signed("oomScoreAdj"),
		"LimitNOFILE":      resource("nofile"),
		"TasksMax":         resource("pids"),
		"MemoryMax": func(u *unit, set setting, w string) {
			u.size(set, w, func(v string) { u.resources.set("memory", v) })
		},
		"CPUQuota":              (*unit).cpuQuota,
		"NoNewPrivileges":       (*unit).noNewPrivileges,
		"CapabilityBoundingSet": (*unit).capabilities,
		"ReadOnlyPaths":         func(u *unit, set setting, _ string) { u.readOnly = append(u.readOnly, strings.Fields(set.value)...) },
		"ReadWritePaths":        func(u *unit, set setting, _ string) { u.readWrite = append(u.readWrite, strings.Fields(set.value)...) },
	}
}

var specifier = regexp.MustCompile(`%[A-Za-z]`)

// plain gives a value as it stands, and lists specifiers in it.
func (u *unit) plain(set setting, where string) string {
	if found := specifier.FindString(set.value); found != "" {
		u.skip(set.line, where, "the specifier %s is not expanded; write what it stands for", found)
	}
	return strings.ReplaceAll(set.value, "%%", "%")
}

var shellVariable = regexp.MustCompile(`\$\{?[A-Za-z_]`)

// execLine gives a command line without its prefix characters.
func (u *unit) execLine(set setting, where string) string {
	line := u.plain(set, where)
	rest := strings.TrimLeft(line, "@-:+!|")
	if prefix := line[:len(line)-len(rest)]; prefix != "" {
		u.skip(set.line, where, "the prefix %s has no counterpart", prefix)
	}
	if program, _, _ := strings.Cut(rest, " "); shellVariable.MatchString(rest) && !strings.HasSuffix(program, "sh") {
		u.skip(set.line, where, "variables of the component's environment are not expanded in a command; use [/bin/sh, -c, …] where they are needed")
	}
	return rest
}

func (u *unit) execStart(set setting, where string) {
	if set.value == "" {
		u.commands = nil
		return
	}
	line := u.execLine(set, where)
	if argv, err := words(line); err != nil || len(argv) == 0 {
		u.skip(set.line, where, "%q cannot be split into words", clip(line))
		return
	}
	if len(u.commands) > 0 {
		u.skip(set.line, where, "a component has one command; make %s one of its own", clip(line))
	}
	u.commands = append(u.commands, line)
}

func (u *unit) hook(key string, set setting, where string) {
	argv, err := words(u.execLine(set, where))
	if err != nil || len(argv) == 0 {
		return
	}
	if u.hooks.has(key) {
		u.skip(set.line, where, "a hook is one program; join them with [/bin/sh, -c, …]")
		return
	}
	u.hooks.set(key, argv)
}

func (u *unit) killMode(set setting, where string) {
	if set.value != "control-group" && set.value != "mixed" {
		u.skip(set.line, where, "%s: peerd always ends the whole tree", clip(set.value))
	}
}

func (u *unit) environment(set setting, where string) {
	list, err := words(u.plain(set, where))
	env, bad := assignments(list)
	if err != nil || len(bad) > 0 {
		u.skip(set.line, where, "%q is not of the form NAME=value", clip(set.value))
	}
	for name, value := range env {
		u.env[name] = value
	}
}

func (u *unit) environmentFile(set setting, where string) {
	path, optional := strings.CutPrefix(u.plain(set, where), "-")
	if optional {
		u.skip(set.line, where, "%s may be missing for systemd; for peerd a missing file is an error, so it is left out", clip(path))
		return
	}
	u.envFiles = append(u.envFiles, path)
}

func (u *unit) restartPolicy(set setting, where string) {
	policy, ok := map[string]string{
		"no": "never", "always": "always", "on-failure": "onFailure", "on-abnormal": "onFailure", "on-abort": "onFailure",
	}[set.value]
	if !ok {
		u.skip(set.line, where, "%s has no counterpart", clip(set.value))
		return
	}
	if set.value == "on-abnormal" || set.value == "on-abort" {
		u.skip(set.line, where, "%s is carried as onFailure, which also counts exit codes", set.value)
	}
	u.restart.set("policy", policy)
}

func (u *unit) cpuQuota(set setting, where string) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(set.value, "%"), 64)
	if err != nil || percent <= 0 {
		u.skip(set.line, where, "%q is no percentage", clip(set.value))
		return
	}
	u.resources.set("cpu", percent/100)
}

func (u *unit) noNewPrivileges(set setting, _ string) {
	switch strings.ToLower(set.value) {
	case "yes", "true", "on", "1":
		u.sandbox.set("noNewPrivileges", true)
	}
}

func (u *unit) capabilities(set setting, where string) {
	if strings.HasPrefix(set.value, "~") {
		u.skip(set.line, where, "sandbox.capabilities lists what is kept, not what is taken away")
		return
	}
	if set.value == "" {
		u.skip(set.line, where, "none are kept: write sandbox: {capabilities: []}")
		return
	}
	u.sandbox.set("capabilities", strings.Fields(set.value))
}

var spanPart = regexp.MustCompile(`^([0-9.]+)\s*(us|ms|minutes?|min|m|seconds?|sec|s|hours?|hr|h|days?|d)?\s*`)

// span turns systemd's "1min 30s" or "90" into a Go duration.
func (u *unit) span(set setting, section string) string {
	var total time.Duration
	rest := strings.TrimSpace(set.value)
	for rest != "" {
		m := spanPart.FindStringSubmatch(rest)
		value, err := 0.0, error(nil)
		if m != nil {
			value, err = strconv.ParseFloat(m[1], 64)
		}
		if m == nil || err != nil {
			u.skip(set.line, section+" "+set.key, "%q is no duration that can be carried", clip(set.value))
			return ""
		}
		total += time.Duration(value * float64(spanUnit(m[2])))
		rest = rest[len(m[0]):]
	}
	if total <= 0 || total > 10*365*24*time.Hour {
		u.skip(set.line, section+" "+set.key, "%q is no duration that can be carried", clip(set.value))
		return ""
	}
	return fmt.Sprint(total)
}

func spanUnit(unit string) time.Duration {
	switch {
	case unit == "us":
		return time.Microsecond
	case unit == "ms":
		return time.Millisecond
	case strings.HasPrefix(unit, "m"):
		return time.Minute
	case strings.HasPrefix(unit, "h"):
		return time.Hour
	case strings.HasPrefix(unit, "d"):
		return 24 * time.Hour
	}
	return time.Second
}
