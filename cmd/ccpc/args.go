package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

var negativeNumber = regexp.MustCompile(`^-\d`)

// arrange puts the words of a command line into the one order that the flag
// parser takes: global flags, verb, its flags, names. A flag may so stand
// anywhere; behind -- everything is a name.
func arrange(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	known := knownFlags(app)
	var global, local, names []string
	var verb []string // one word, once it is found
	rest := args[1:]
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "--":
			names, rest = append(names, rest...), nil
		case !strings.HasPrefix(word, "-") || word == "-" || negativeNumber.MatchString(word):
			if verb == nil {
				verb = []string{word}
			} else {
				names = append(names, word)
			}
		default:
			name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
			f := known[name]
			group := &local
			if f.global {
				group = &global
			}
			*group = append(*group, word)
			if f.takesValue && !hasValue && len(rest) > 0 {
				*group = append(*group, rest[0])
				rest = rest[1:]
			}
		}
	}
	if len(names) > 0 {
		names = append([]string{"--"}, names...)
	}
	return slices.Concat(args[:1], global, verb, local, names)
}

// knownFlag is what arrange must know of a flag.
type knownFlag struct{ global, takesValue bool }

// knownFlags are the flags of the program and all its verbs by every name. A
// name means the same kind of flag in all verbs; a test sees to that.
func knownFlags(app *cli.App) map[string]knownFlag {
	known := map[string]knownFlag{}
	add := func(flags []cli.Flag, global bool) {
		for _, f := range flags {
			_, isBool := f.(*cli.BoolFlag)
			for _, name := range f.Names() {
				known[name] = knownFlag{global: global, takesValue: !isBool}
			}
		}
	}
	for _, c := range app.Commands {
		add(c.Flags, false)
	}
	add(app.Flags, true)
	return known
}

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
