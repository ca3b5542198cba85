package profiles

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// environment joins env files and env, sorted by name.
func (l *loader) environment(c *component, s *Spec) {
	values := map[string]string{}
	for i, file := range c.cfg.EnvFile {
		data, err := l.read(c.doc.abs(file))
		if err == nil {
			err = parseEnvFile(data, values)
		}
		if err != nil {
			c.complain(fmt.Sprintf("envFile[%d]", i), "%s: %v", file, err)
		}
	}
	for name, value := range c.cfg.Env {
		if !envName.MatchString(name) {
			c.complain("env."+name, "%q is no name of an environment variable", clip(name))
		}
		values[name] = string(value)
	}
	for name, value := range values {
		s.Env = append(s.Env, name+"="+value)
	}
	sort.Strings(s.Env)
	for _, name := range sortedKeys(c.cfg.Secrets) {
		secret := c.cfg.Secrets[name]
		if _, twice := values[name]; twice || !envName.MatchString(name) {
			c.complain("secrets."+name, "a secret is an environment variable's name that env does not set too")
		}
		if s.Secrets == nil {
			s.Secrets = map[string]string{}
		}
		s.Secrets[name] = c.doc.abs(secret.File)
	}
}

// parseEnvFile reads NAME=value lines; empty lines and # comments are skipped,
// `export ` in front and one pair of quotes around the value are dropped.
func parseEnvFile(data []byte, into map[string]string) error {
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		if !ok || !envName.MatchString(name) {
			return fmt.Errorf("line %d: NAME=value is expected", i+1)
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') {
			if value[n-1] != value[0] {
				return fmt.Errorf("line %d: the quote is not closed", i+1)
			}
			value = value[1 : n-1]
		}
		if strings.ContainsRune(value, 0) {
			return errors.New("a zero byte is not allowed")
		}
		into[name] = value
	}
	return nil
}
