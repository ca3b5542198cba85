package imports

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// supervisord carries [program:x] and [group:x] sections.
func (c *converter) supervisord(data []byte) error {
	sections, err := parseIni(data, iniDialect{inlineComments: true, indented: true, lower: true})
	if err != nil {
		return err
	}
	groupOf := c.supervisordGroups(sections)
	programs := 0
	for _, s := range sections {
		kind, name, _ := strings.Cut(s.name, ":")
		switch kind {
		case "program":
			programs++
			c.supervisordProgram(s, strings.TrimSpace(name), groupOf)
		case "group":
		case "supervisord":
			c.supervisordMain(s)
		case "include":
			c.skip(s.line, s.name, "included files are not read; import each, and put the profiles into one folder")
		case "unix_http_server", "inet_http_server", "supervisorctl", "rpcinterface":
			c.skip(s.line, s.name, "peerd has a control socket of its own (peer.socket), ccpc speaks to it")
		default:
			c.skip(s.line, s.name, "has no counterpart")
		}
	}
	if programs == 0 {
		return errors.New("no [program:x] section")
	}
	return nil
}

// supervisordGroups notes which program is in which group.
func (c *converter) supervisordGroups(sections []*iniSection) map[string]string {
	groupOf := map[string]string{}
	for _, s := range sections {
		name, ok := strings.CutPrefix(s.name, "group:")
		if !ok {
			continue
		}
		name = componentName(name, "group")
		if c.groups == nil {
			c.groups = newObject().block()
		}
		c.groups.set(name, newObject().set("strategy", "oneForOne"))
		for _, setting := range s.settings {
			if setting.key != "programs" {
				c.skip(setting.line, s.name+" "+setting.key, "has no counterpart; see launchOrder")
				continue
			}
			for _, program := range strings.Split(setting.value, ",") {
				groupOf[strings.TrimSpace(program)] = name
			}
		}
	}
	return groupOf
}

func (c *converter) supervisordMain(s *iniSection) {
	for _, setting := range s.settings {
		if setting.key == "environment" {
			c.defaults = newObject().set("env", c.supervisordEnv(setting, "", s.name))
			continue
		}
		c.skip(setting.line, s.name+" "+setting.key, "is about supervisord itself")
	}
}

var percent = regexp.MustCompile(`%\(([^)]*)\)([sd0-9]*)|%%`)

// text turns %(ENV_X)s into ${X} and %(program_name)s into the name.
func (c *converter) supervisordText(set setting, program, where string) variable {
	text := percent.ReplaceAllStringFunc(escape(set.value), func(match string) string {
		if match == "%%" {
			return "%"
		}
		name := percent.FindStringSubmatch(match)[1]
		if env, ok := strings.CutPrefix(name, "ENV_"); ok {
			return "${" + env + "}"
		}
		switch name {
		case "program_name":
			return program
		case "here":
			return "."
		}
		c.skip(set.line, where+" "+set.key, "%s has no counterpart", match)
		return match
	})
	return variable(text)
}

// supervisordEnv reads KEY="value",KEY2=value.
func (c *converter) supervisordEnv(set setting, program, where string) map[string]variable {
	env := map[string]variable{}
	set.value = strings.ReplaceAll(set.value, "\n", " ")
	for _, pair := range splitOutsideQuotes(set.value, ',') {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			if name != "" {
				c.skip(set.line, where+" environment", "%q is not of the form KEY=value", clip(name))
			}
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		env[strings.TrimSpace(name)] = c.supervisordText(setting{line: set.line, key: set.key, value: value}, program, where)
	}
	return env
}

func splitOutsideQuotes(s string, sep rune) []string {
	var quote rune
	return strings.FieldsFunc(s, func(r rune) bool {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case quote == 0 && r == sep:
			return true
		}
		return false
	})
}

func (c *converter) supervisordProgram(s *iniSection, name string, groupOf map[string]string) {
	component := newObject()
	command, ok := s.get("command")
	if !ok {
		c.skip(s.line, s.name, "it has no command and is left out")
		return
	}
	argv, err := words(string(c.supervisordText(command, name, s.name)))
	if err != nil || len(argv) == 0 {
		c.skip(command.line, s.name+" command", "it cannot be split into words and is left out")
		return
	}
	list := make([]variable, len(argv))
	for i, word := range argv {
		list[i] = variable(word)
	}
	component.set("command", list)
	component.set("group", groupOf[name])
	restart, logs := newObject(), newObject()
	expected := "0"
	if set, ok := s.get("exitcodes"); ok {
		expected = set.value
	}
	restart.set("policy", "onFailure") // autorestart=unexpected
	for _, set := range s.settings {
		c.supervisordSetting(s, name, set, component, restart, logs)
	}
	if expected != "0" {
		c.skip(s.line, s.name+" exitcodes", "peerd lists the codes that are failures (restart.exitCodes), not those that are expected (%s)", clip(expected))
	}
	component.set("restart", restart).set("logs", logs)
	c.add(s.line, name, component)
}

// handled are keys that another one takes care of, or that need nothing:
// peerd always stops the whole tree.
var handled = map[string]bool{
	"command": true, "exitcodes": true, "stopasgroup": true, "killasgroup": true, "redirect_stderr": true,
	"process_name": true, "numprocs_start": true,
}

func (c *converter) supervisordSetting(s *iniSection, name string, set setting, component, restart, logs *object) {
	where := s.name + " " + set.key
	switch set.key {
	case "numprocs":
		c.number(set, where, func(n int) { component.set("replicas", n) })
	case "priority":
		c.number(set, where, func(n int) { component.set("launchOrder", n) })
	case "autostart":
		if strings.EqualFold(set.value, "false") {
			component.set("enabled", false)
		}
	case "autorestart":
		policy := map[string]string{"true": "always", "false": "never", "unexpected": "onFailure"}[strings.ToLower(set.value)]
		restart.set("policy", policy)
	case "startsecs":
		c.number(set, where, func(n int) { component.set("ready", newObject().set("startSeconds", seconds(max(n, 0)))) })
	case "startretries":
		c.number(set, where, func(n int) {
			restart.set("limit", newObject().set("count", n+1))
			c.skip(set.line, where, "carried as restart.limit.count %d, which also counts ends after a good start", n+1)
		})
	case "stopsignal":
		component.set("stopSignal", "SIG"+strings.TrimPrefix(strings.ToUpper(set.value), "SIG"))
	case "stopwaitsecs":
		c.number(set, where, func(n int) { component.set("componentStopWaitTime", seconds(n)) })
	case "user":
		component.set("user", set.value)
	case "directory":
		component.set("workingDirectory", c.supervisordText(set, name, s.name))
	case "environment":
		component.set("env", c.supervisordEnv(set, name, s.name))
	case "stdout_logfile_maxbytes":
		c.size(set, where, func(v string) { logs.set("maxSize", v) })
	case "stdout_logfile_backups":
		c.number(set, where, func(n int) { logs.set("maxFiles", n+1) })
	default:
		if !handled[set.key] {
			c.skip(set.line, where, "%s has no counterpart%s", clip(set.value), supervisordHint[set.key])
		}
	}
}

var supervisordHint = map[string]string{
	"stdout_logfile": "; output is captured in peerd's state folder, ccpc logs shows it",
	"stderr_logfile": "; output is captured in peerd's state folder, ccpc logs shows it",
	"umask":          "; set it in the command: [/bin/sh, -c, \"umask 022; exec …\"]",
}

// number carries a setting that must be a whole number.
func (c *converter) number(set setting, where string, carry func(int)) {
	n, err := strconv.Atoi(set.value)
	if err != nil || n < 0 {
		c.skip(set.line, where, "%q is no number", clip(set.value))
		return
	}
	carry(n)
}

var sizeForm = regexp.MustCompile(`(?i)^([0-9]+)\s*([kmgt]?)i?b?$`)

// size carries 50MB, 512M or 1024 as powers of two, which all these formats mean.
func (c *converter) size(set setting, where string, carry func(string)) {
	m := sizeForm.FindStringSubmatch(set.value)
	if m == nil || m[1] == "0" {
		c.skip(set.line, where, "%q is no size that can be carried", clip(set.value))
		return
	}
	unit := strings.ToUpper(m[2])
	if unit != "" {
		unit += "i"
	}
	carry(m[1] + unit + "B")
}

// seconds writes whole seconds; none is as short as a duration can be.
func seconds(n int) string {
	if n == 0 {
		return "1ms"
	}
	return strconv.Itoa(n) + "s"
}
