package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/seed-04209a44/peerd/api"
	"github.com/seed-04209a44/peerd/cmd/internal/cliargs"
	"github.com/seed-04209a44/peerd/control"
)

// completeVerb is what the completion scripts call: behind it stand the words
// of the command line, the one to complete last. It prints one candidate a
// line and never fails.
const completeVerb = "__complete"

// completeTimeout bounds the question for live names.
const completeTimeout = 500 * time.Millisecond

var completionScripts = map[string]string{
	"bash": `_ccpc() {
  local IFS=$'\n'
  COMPREPLY=($(ccpc __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _ccpc ccpc
`,
	"zsh": `#compdef ccpc
_ccpc() {
  local -a candidates
  candidates=("${(@f)$(ccpc __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$candidates" ]]; then compadd -- $candidates; else _files; fi
}
compdef _ccpc ccpc
`,
	"fish": `function __ccpc
  set -l words (commandline -opc) (commandline -ct)
  ccpc __complete $words[2..] 2>/dev/null
end
complete -c ccpc -a '(__ccpc)'
`,
}

func (p *program) completion(c *cli.Context) error {
	if err := wantArgs(c, 1, 1); err != nil {
		return err
	}
	script, ok := completionScripts[c.Args().First()]
	if !ok {
		return usagef("unknown shell %q: use bash, zsh or fish", c.Args().First())
	}
	return p.out.printf("%s", script)
}

func (p *program) complete(ctx context.Context, app *cli.App, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	current := words[len(words)-1]
	for _, s := range candidates(ctx, app, words[:len(words)-1], current) {
		if strings.HasPrefix(s, current) {
			fmt.Fprintln(p.stdout, s)
		}
	}
}

// candidates are what may stand behind the words before.
func candidates(ctx context.Context, app *cli.App, before []string, current string) []string {
	line := parseWords(app, before)
	switch {
	case line.valueOf == "output" || line.valueOf == "o":
		return []string{formatTable, formatJSON, formatYAML}
	case line.valueOf == "stream":
		return []string{"out", "err"}
	case line.valueOf != "":
		return nil
	case strings.HasPrefix(current, "-"):
		return flagNames(app, line.verb)
	case line.verb == "":
		var verbs []string
		for _, c := range app.Commands {
			verbs = append(verbs, c.Name)
		}
		return verbs
	}
	return arguments(ctx, app, line)
}

// words is what completion understands of a command line.
type words struct {
	verb, valueOf, socket string
	fleet                 bool // a controller is named: the peer's names are not at hand
	names                 []string
}

func parseWords(app *cli.App, before []string) words {
	known := cliargs.Flags(app)
	var l words
	for _, w := range before {
		name, value, hasValue := strings.Cut(strings.TrimLeft(w, "-"), "=")
		l.fleet = l.fleet || strings.HasPrefix(w, "-") && name == "controller"
		switch {
		case l.valueOf != "":
			if l.valueOf == "socket" {
				l.socket = w
			}
			l.valueOf = ""
		case strings.HasPrefix(w, "-"):
			if known[name].TakesValue && !hasValue {
				l.valueOf = name
			} else if name == "socket" {
				l.socket = value
			}
		case l.verb == "":
			l.verb = w
		default:
			l.names = append(l.names, w)
		}
	}
	return l
}

func flagNames(app *cli.App, verb string) []string {
	var names []string
	add := func(flags []cli.Flag) {
		for _, f := range flags {
			names = append(names, "--"+f.Names()[0])
		}
	}
	if c := app.Command(verb); c != nil {
		add(c.Flags)
	}
	add(app.Flags)
	return names
}

// arguments are the candidates for a verb's next argument.
func arguments(ctx context.Context, app *cli.App, l words) []string {
	c := app.Command(l.verb)
	switch {
	case c == nil:
		return nil
	case l.verb == "batch" && len(l.names) == 0:
		return []string{"run", "cancel", "retry"}
	case l.verb == "import" && len(l.names) == 0:
		return importKinds()
	case l.verb == "data" && len(l.names) == 1:
		return dataKinds
	case l.verb == "set-loglevel" && len(l.names) > 0:
		return []string{"trace", "debug", "info", "warn", "error", "off"}
	case l.verb == "completion" || l.verb == "graph":
		return strings.Split(strings.Trim(c.ArgsUsage, "[]"), "|")
	case strings.Contains(c.ArgsUsage, "NAME…") || strings.Contains(c.ArgsUsage, "NAME") && len(l.names) == 0:
		return liveNames(ctx, l)
	}
	return nil
}

// liveNames asks the peer; nothing is said when it does not answer.
func liveNames(ctx context.Context, l words) []string {
	if l.fleet {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	given := l.socket
	if given == "" {
		given = os.Getenv("PEERD_SOCKET")
	}
	cl := api.NewClient(socket(given))
	defer cl.Close()
	var instances []control.Instance
	if cl.Call(ctx, control.OpPs, control.Selection{}, &instances) != nil {
		return nil
	}
	return slices.DeleteFunc(displayNames(ofPeer("", instances)), func(n string) bool { return slices.Contains(l.names, n) })
}
