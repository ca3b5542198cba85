package profiles

import (
	"fmt"
	"regexp"
	"strings"
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} and ${NAME:-default} in text. $${ stands for a
// literal ${; any other $ is left alone. changed reports whether a variable
// was replaced.
func expand(text string, env func(string) (string, bool)) (out string, changed bool, err error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), changed, nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(literal + "${")
			text = rest
			continue
		}
		b.WriteString(before)
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", false, fmt.Errorf("${%s has no closing }; write $${ for a literal ${", clip(rest))
		}
		value, err := variable(inner, env)
		if err != nil {
			return "", false, err
		}
		b.WriteString(value)
		text, changed = after, true
	}
}

func variable(inner string, env func(string) (string, bool)) (string, error) {
	name, fallback, hasFallback := strings.Cut(inner, ":-")
	if !envName.MatchString(name) {
		return "", fmt.Errorf("${%s} is not understood; ${NAME} and ${NAME:-default} are, $${ is a literal ${", clip(inner))
	}
	value, set := env(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !set:
		return "", fmt.Errorf("the environment variable %s is not set; set it for peerd or write ${%s:-default}", name, name)
	}
	return value, nil
}
