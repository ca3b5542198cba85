// Package cliargs lets the flags of a command line stand anywhere, where
// urfave/cli wants them before the names:
//
//	err := app.Run(cliargs.Arrange(app, os.Args))
//
// It is pure.
package cliargs

import (
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

var negativeNumber = regexp.MustCompile(`^-\d`)

// Arrange puts the words of a command line into the one order that the flag
// parser takes: global flags, verb, its flags, names. A flag may so stand
// anywhere; behind -- everything is a name.
func Arrange(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	known := Flags(app)
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
			if f.Global {
				group = &global
			}
			*group = append(*group, word)
			if f.TakesValue && !hasValue && len(rest) > 0 {
				*group = append(*group, rest[0])
				rest = rest[1:]
			}
		}
	}
	if slices.Contains(local, "--help") || slices.Contains(local, "-h") {
		names = nil // the library would take them for topics
	}
	if len(names) > 0 {
		names = append([]string{"--"}, names...)
	}
	return slices.Concat(args[:1], global, verb, local, names)
}

// Flag is what is to be known of a flag.
type Flag struct{ Global, TakesValue bool }

// Flags are the flags of a program and all its verbs, by every name. A
// name means the same kind of flag in all verbs; a test sees to that.
func Flags(app *cli.App) map[string]Flag {
	known := map[string]Flag{}
	add := func(flags []cli.Flag, global bool) {
		for _, f := range flags {
			_, isBool := f.(*cli.BoolFlag)
			for _, name := range f.Names() {
				known[name] = Flag{Global: global, TakesValue: !isBool}
			}
		}
	}
	for _, c := range app.Commands {
		add(c.Flags, false)
	}
	add(app.Flags, true)
	return known
}
