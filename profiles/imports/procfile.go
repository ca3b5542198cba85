package imports

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

var (
	procfileLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(.+)$`)
	portVariable = regexp.MustCompile(`\$\{?PORT\b`)
)

// procfile carries `name: command` lines. PORT is given out as foreman does:
// 5000 to the first process, 100 more to each following one.
func (c *converter) procfile(data []byte) error {
	found := 0
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := procfileLine.FindStringSubmatch(line)
		if m == nil {
			c.skip(i+1, clip(line), "not of the form `name: command`")
			continue
		}
		component := newObject().set("command", shellCommand(m[2]))
		if portVariable.MatchString(m[2]) {
			component.set("env", map[string]string{"PORT": strconv.Itoa(5000 + 100*found)})
		}
		if m[1] == "release" {
			component.set("oneShot", true)
			c.skip(i+1, "release", "Heroku runs it before the others; let them say dependsOn: {release: completed}")
		}
		c.add(i+1, m[1], component)
		found++
	}
	if found == 0 {
		return errors.New("no line of the form `name: command`")
	}
	c.skip(1, "foreman", "ends everything when one process ends; peerd restarts that one (see restart and groups)")
	c.skip(1, ".env", "a .env file beside a Procfile is not read; name it in envFile")
	return nil
}

func clip(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
