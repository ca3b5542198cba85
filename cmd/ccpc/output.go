package main

import (
	"slices"
	"strings"
)

// peekOutput finds the output format without parsing the command line, so that
// a command line that cannot be parsed fails in that format.
func peekOutput(args []string) string {
	for i, a := range args {
		name, value, hasValue := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !strings.HasPrefix(a, "-") || !slices.Contains([]string{"o", "output"}, name) {
			continue
		}
		if !hasValue && i+1 < len(args) {
			value = args[i+1]
		}
		return value
	}
	return formatTable
}
