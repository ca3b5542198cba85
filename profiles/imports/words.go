package imports

import (
	"errors"
	"regexp"
	"strings"
)

// words splits a command line as a shell does, with quotes and backslashes,
// but without expanding anything.
func words(s string) ([]string, error) {
	var out []string
	var word strings.Builder
	inWord := false
	var quote rune
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inWord {
				out = append(out, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		out = append(out, word.String())
	}
	return out, nil
}

// needsShell finds what only a shell understands.
var needsShell = regexp.MustCompile("[|&;<>()$`*?\\[\\]#~{}!\n]|^[A-Za-z_][A-Za-z0-9_]*=")

// shellCommand is the argv of a command line meant for a shell: split where no
// shell is needed.
func shellCommand(line string) []string {
	if !needsShell.MatchString(line) {
		if argv, err := words(line); err == nil && len(argv) > 0 {
			return argv
		}
	}
	return []string{"/bin/sh", "-c", line}
}

// assignments reads NAME=value words.
func assignments(list []string) (env map[string]string, bad []string) {
	env = map[string]string{}
	for _, item := range list {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			bad = append(bad, item)
			continue
		}
		env[name] = value
	}
	return env, bad
}
